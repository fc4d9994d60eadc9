"""A copy of the trail's head in a file beside the database: who puts an older database back is found out."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from whispercore.audit.head import Head


class HeadFile:
    """The copy. It may be a little behind the database, never ahead of what the disk has of it.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, secret: bytes) -> Head | None:
        """The head that was copied; None when there is no file.

        Raises:
            ValueError: It is no head, or we did not sign it.
        """
        try:
            content = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ValueError(f"{self.path} cannot be read: {error.strerror or error}") from None
        except (ValueError, RecursionError):
            raise ValueError(f"{self.path} is no copy of the head") from None
        try:
            head = Head(
                first=int(content["first"]),
                first_previous_hash=str(content["first_previous_hash"]),
                last=int(content["last"]),
                last_hash=str(content["last_hash"]),
            )
            signature = str(content["signature"])
        except (LookupError, TypeError, ValueError):
            raise ValueError(f"{self.path} is no copy of the head") from None
        if not head.signed_by(secret, signature):
            raise ValueError(f"{self.path} is not as it was signed")
        return head

    def write(self, head: Head, secret: bytes, *, database: Path | None) -> None:
        """Copy a head that is committed.

        Args:
            head: It.
            secret: To sign it with.
            database: The file of an SQLite database. What was committed there may still be in the system's memory
                only, and must not be lost in a power cut when the copy is not.

        Raises:
            OSError: The file cannot be written; the old one is there still.
        """
        if database is not None:
            # Not the database itself: closing it here would let go of the locks that SQLite holds on it. What is
            # there and no more in its log was synchronised when it was put there.
            _sync(database.with_name(f"{database.name}-wal"))
        draft = self.path.with_name(f"{self.path.name}.{secrets.token_hex(8)}")
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as writing:
                writing.write(f"{json.dumps(head.columns(secret))}\n")
                writing.flush()
                os.fsync(writing.fileno())
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
