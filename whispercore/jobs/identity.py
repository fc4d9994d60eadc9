"""The name of a worker: the same again after a restart, and never that of two at once."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def worker_name(folder: Path) -> Iterator[str]:
    """Hold a name until the block ends, or the process does, however it does.

    The kernel drops a lock with its process. So a worker that was killed and started again gets the name it had, and
    can take back at once what it was doing.

    Args:
        folder: Where the names of this installation are kept; made if there is none. Not on a network drive.

    Raises:
        OSError: It cannot be used.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    installation = _installation(folder)
    for number in itertools.count(1):
        held = os.open(folder / f"{number}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            continue
        try:
            yield f"{installation}-{number}"
        finally:
            os.close(held)
        return


def _installation(folder: Path) -> str:
    """A name that is this folder's, so that workers of several machines can share a database."""
    path = folder / "installation"
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(encoding="ascii")
    made = folder / f".installation-{secrets.token_hex(8)}"
    made.write_text(secrets.token_hex(4), encoding="ascii")
    try:
        # It appears whole, and the first one stays.
        path.hardlink_to(made)
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return path.read_text(encoding="ascii")
