"""What benchmarks borrow from the tests: a real PostgreSQL, an S3 store over HTTP, a receiver of webhooks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from attrs import frozen

from benchmarks.place import ROOT
from benchmarks.results import NotMeasured

if TYPE_CHECKING:
    from tests.postgres import Postgres
    from tests.receiver import Receiver

_NOT_HERE = "it needs what the tests need: pip install -e '.[dev]'"


@frozen
class Store:
    """A bucket of an S3 store."""

    endpoint: str
    bucket: str


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server of its own until the block ends. It waits for no disk, but keeps what is committed when it is stopped.

    Raises:
        NotMeasured: It is not installed.
    """
    try:
        from tests.postgres import running  # noqa: PLC0415 (not everybody has it)
    except ImportError:
        raise NotMeasured(_NOT_HERE) from None
    with running() as server:
        yield server


@contextmanager
def hook() -> Iterator[Receiver]:
    """A receiver of webhooks on this machine, until the block ends.

    Raises:
        NotMeasured: It is not installed.
    """
    try:
        from tests.receiver import receiver  # noqa: PLC0415 (not everybody has it)
    except ImportError:
        raise NotMeasured(_NOT_HERE) from None
    with receiver() as made:
        yield made


@contextmanager
def s3() -> Iterator[Store]:
    """A store in a process of its own, until the block ends.

    Raises:
        NotMeasured: It is not installed.
    """
    command = [sys.executable, "-m", "tests.s3_server"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        if len(words) != len(("endpoint", "bucket")):
            raise NotMeasured(_NOT_HERE)
        yield Store(*words)
