"""The folder that has all state of a server: made if need be, and held by one server at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from whispercore.errors import InvalidOption
from whispercore_server.errors import CannotStart

_LOCK: Final = "server.lock"


def prepare(data: Path) -> None:
    """Have the folder here, for nobody but this user if it is new.

    Raises:
        InvalidOption: It cannot be made, or not written to.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise InvalidOption("--data", f"{data} is not a folder") from None
    except OSError as error:
        raise InvalidOption("--data", f"the folder {data} cannot be made: {error.strerror or error}") from None
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        raise InvalidOption("--data", f"the folder {data} cannot be written to")


@contextmanager
def held(data: Path) -> Iterator[None]:
    """Keep other servers out while the block runs. The system lets go by itself when this process dies.

    Raises:
        InvalidOption: The folder cannot be written to.
        CannotStart: Another server has it.
    """
    prepare(data)
    try:
        lock = os.open(data / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidOption("--data", f"{data / _LOCK} cannot be written: {error.strerror or error}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                reason = f"{data} cannot be locked: {error.strerror or error}"
                raise CannotStart(reason) from None
            raise CannotStart(f"another server{_holder(lock)} uses the folder {data}") from None
        os.truncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)


def _holder(lock: int) -> str:
    process = os.pread(lock, 20, 0).strip()
    return f" (process {process.decode()})" if process.isdigit() else ""
