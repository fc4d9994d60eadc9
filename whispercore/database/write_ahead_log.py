"""SQLite's log, in a file beside the database's: whatever is written, by whichever process, is written there first."""

from __future__ import annotations

from pathlib import Path


def last_write(path: Path) -> tuple[int, int] | None:
    """What is another once somebody has written, unless two write within the same tick of the machine's clock.

    That is asked of the file system alone: it takes no lock and no thread, and some microseconds.

    Args:
        path: The database's.

    Returns:
        When the log was written last, in nanoseconds, and its size in bytes. None while there is none.
    """
    try:
        log = path.with_name(f"{path.name}-wal").stat()
    except OSError:
        return None
    return log.st_mtime_ns, log.st_size
