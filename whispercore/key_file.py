"""A key that is not in the database: whoever can read or write that, or has a backup of it, has not the key."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import ClassVar, Final

from whispercore.durable import sync_folder
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
    file_name: ClassVar[str] = "key"
    """Of its file in the data folder."""

    def __init__(self, file: Path | None = None, *, text: str | None = None) -> None:
        self.file = file if text is None else None
        """Where it is kept; None when it is kept elsewhere."""
        self.is_kept = file is not None or text is not None
        """Whether there is any place that another process may have it from."""
        self._secret: bytes | None = self.told(text) if text is not None else None
        self.made = False
        """Whether the file was made by this process just now."""

    def secret(self) -> bytes:
        """The key's bytes.

        Raises:
            InvalidOption: The file cannot be read, or is no key.
        """
        if self._secret is None:
            self._secret = self._from_file(self.file) if self.file is not None else self.parsed(self.new_text())
        return self._secret

    def known(self) -> bool:
        """Whether there is a key already; a new one can confirm nothing that was signed before."""
        return self._secret is not None or (self.file is not None and self.file.exists())

    def fingerprint(self) -> str:
        """What it is known by to those who have not the key, in hexadecimal. Blocks.

        Raises:
            InvalidOption: The file cannot be read, or is no key.
        """
        return hmac.digest(self.secret(), f"whispercore fingerprint of the {self.name} 1".encode(), "sha256").hex()

    @property
    def setting(self) -> str:
        """The variable of the environment that it can be set by."""
        return f"WHISPERCORE_{self.name.upper().replace(' ', '_')}"

    @property
    def fingerprint_column(self) -> str:
        """Of the table that keeps its fingerprint."""
        return f"{self.name.replace(' ', '_')}_fingerprint"

    @classmethod
    def new_text(cls) -> str:
        """What is written to a new file."""
        return secrets.token_hex(_BYTES)

    @classmethod
    def told(cls, text: str) -> bytes:
        """The key that a setting says."""
        return hashlib.sha256(text.encode()).digest()

    @classmethod
    def parsed(cls, text: str) -> bytes:
        """The key in a file.

        Raises:
            ValueError: It is none.
        """
        secret = bytes.fromhex(text)
        if len(secret) != _BYTES:
            raise ValueError(f"it has {len(secret)} bytes, but has to have {_BYTES}")
        return secret

    def _from_file(self, file: Path) -> bytes:
        try:
            if not file.exists():
                self._make(file)
            return self.parsed(file.read_text("ascii").strip())
        except (OSError, ValueError) as error:
            raise InvalidOption(self.name, f"{file} cannot be read: {error}") from None

    def _make(self, file: Path) -> None:
        """Under another name first: processes that start together must agree on one key, and find it whole."""
        draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "w") as writing:
                writing.write(f"{self.new_text()}\n")
                writing.flush()
                os.fsync(writing.fileno())
            try:
                os.link(draft, file)
            except FileExistsError:  # another process was first
                return
            sync_folder(file.parent)
            self.made = True
        finally:
            draft.unlink()
