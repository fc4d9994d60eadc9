"""A key that is not in the database: whoever can read or write that, or has a backup of it, has not the key."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import ClassVar, Final

from whispercore.errors import InvalidOption

_BYTES: Final = 32


class KeyFile:
    """A key: what a setting says, or what a file has. The file is made when it is first needed.

    Without either, it is a new one for this process only.

    Args:
        file: Where it is kept, readable by its owner only.
        text: The setting; it comes before the file.
    """

    name: ClassVar[str] = "key"
    """What it is, in errors."""

    def __init__(self, file: Path | None = None, *, text: str | None = None) -> None:
        self._file = file
        self._secret: bytes | None = hashlib.sha256(text.encode()).digest() if text is not None else None
        self.made = False
        """Whether the file was made by this process just now."""

    def secret(self) -> bytes:
        """The key's bytes.

        Raises:
            InvalidOption: The file cannot be read, or is no key.
        """
        if self._secret is None:
            self._secret = self._from_file() if self._file is not None else secrets.token_bytes(_BYTES)
        return self._secret

    def known(self) -> bool:
        """Whether there is a key already; a new one can confirm nothing that was signed before."""
        return self._secret is not None or (self._file is not None and self._file.exists())

    def _from_file(self) -> bytes:
        assert self._file is not None
        try:
            if not self._file.exists():
                self._make(self._file)
            text = self._file.read_text("ascii").strip()
            secret = bytes.fromhex(text)
        except (OSError, ValueError) as error:
            raise InvalidOption(self.name, f"{self._file} cannot be read: {error}") from None
        if len(secret) != _BYTES:
            raise InvalidOption(self.name, f"{self._file} has {len(secret)} bytes, but has to have {_BYTES}")
        return secret

    def _make(self, file: Path) -> None:
        """Under another name first: processes that start together must agree on one key, and find it whole."""
        draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "w") as writing:
                writing.write(f"{secrets.token_hex(_BYTES)}\n")
                writing.flush()
                os.fsync(writing.fileno())
            try:
                os.link(draft, file)
            except FileExistsError:  # another process was first
                return
            self.made = True
        finally:
            draft.unlink()
