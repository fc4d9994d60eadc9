"""Sealing what was said: the texts of a job, under a key of its own.

A text is a Fernet token (https://github.com/fernet/spec): AES in CBC mode and an HMAC over all of it. The key of a job
is a token itself, in the job's row, under a key that is derived from the workers' secret one, which is sealed to the
master key. So the master key can be changed without touching a transcript, and a job that is deleted takes its key with
it: texts of it that are left anywhere cannot be opened any more.
"""

from __future__ import annotations

import base64
from typing import Final

from attrs import field, frozen
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from whispercore.errors import SealBroken

_LABEL: Final = b"whispercore: keys of texts"
_SAID: Final = "what was said here"


@frozen(eq=False)
class TextSeal:
    """Seals texts, and opens them; without a key it leaves them as they are."""

    _fernet: Fernet | None = field(default=None, repr=False)
    is_broken: bool = False
    """Whether there was a key, and it cannot be opened: then this neither seals nor opens anything."""

    def __bool__(self) -> bool:
        """Whether it does anything."""
        return self._fernet is not None or self.is_broken

    def check(self) -> None:
        """See that it is of use.

        Raises:
            SealBroken: Its key has changed, or is of another installation.
        """
        if self.is_broken:
            raise SealBroken(_SAID)

    def close(self, text: str) -> str:
        """A text as it is stored.

        Raises:
            SealBroken: There is no key for it any more.
        """
        return self.close_bytes(text.encode()).decode() if self else text

    def open(self, stored: str) -> str:
        """What ``close`` was given.

        Raises:
            SealBroken: It has changed, or is sealed with another key.
        """
        return self.open_bytes(stored.encode()).decode() if self else stored

    def shown(self, stored: str | None) -> str | None:
        """The same for lists, which go on without what cannot be opened."""
        try:
            return stored and self.open(stored)
        except SealBroken:
            return None

    def close_bytes(self, data: bytes) -> bytes:
        """Bytes as they are stored.

        Raises:
            SealBroken: There is no key for them any more.
        """
        self.check()
        return data if self._fernet is None else self._fernet.encrypt(data)

    def open_bytes(self, stored: bytes) -> bytes:
        """What ``close_bytes`` was given.

        Raises:
            SealBroken: It has changed, or is sealed with another key.
        """
        self.check()
        if self._fernet is None:
            return stored
        try:
            return self._fernet.decrypt(stored)
        except InvalidToken as error:
            raise SealBroken(_SAID) from error


CLEAR: Final = TextSeal()
"""For what is stored as it is."""
BROKEN: Final = TextSeal(is_broken=True)
"""For what nobody can open any more."""


class TextKeys:
    """The keys of the texts of an installation. What is sealed can be opened whatever ``seals`` says.

    Args:
        seals: Whether new jobs get a key.
    """

    def __init__(self, *, seals: bool = False) -> None:
        self.seals = seals
        self._fernet: Fernet | None = None

    def unlock(self, secret: str) -> None:
        """Have the key that all others are sealed with.

        Args:
            secret: The workers' secret key.
        """
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_LABEL).derive(secret.encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))

    def new(self) -> str | None:
        """A key for a new job, as its row has it; None where texts are not sealed."""
        return self._of_all.encrypt(Fernet.generate_key()).decode() if self.seals else None

    @property
    def own(self) -> TextSeal:
        """For texts that are of no job, or not yet."""
        return TextSeal(self._of_all)

    def seal(self, key: str | None) -> TextSeal:
        """What opens and seals the texts of a job. A key that has changed harms nothing but what it was for.

        Args:
            key: As its row has it.
        """
        if key is None:
            return CLEAR
        try:
            return TextSeal(Fernet(self._of_all.decrypt(key)))
        except (InvalidToken, ValueError):  # of the latter kind is what is no text of ASCII
            return BROKEN

    @property
    def _of_all(self) -> Fernet:
        if self._fernet is None:
            raise RuntimeError("texts are sealed, and nobody has unlocked their keys")
        return self._fernet
