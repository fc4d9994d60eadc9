"""argon2 that computes nothing twice, for servers whose passwords are not what a test is about.

The first hash of a password is a true one, by the work factors of the product, and so is the first comparison of a
wrong one with it; whatever differs in a bit is computed. That each hash has a salt of its own, and what it costs, is
shown by the tests of ``whispercore.people.passwords``, which go without this.
"""

from __future__ import annotations

from typing import Literal

import argon2
from argon2.exceptions import VerifyMismatchError

from whispercore.people.passwords import LANES, MEMORY_KIB, PASSES, Passwords


class RememberingHasher(argon2.PasswordHasher):
    """A hasher of one test process."""

    def __init__(self) -> None:
        super().__init__(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, type=argon2.Type.ID)
        self.hashes: dict[str | bytes, str] = {}
        self.wrong: set[tuple[str, str | bytes]] = set()
        """Hashes, and passwords that they were not made of."""

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        """That of the last time, if there was one."""
        if password not in self.hashes:
            self.hashes[password] = super().hash(password, salt=salt)
        return self.hashes[password]

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 (its name in argon2)
        """Compare, unless that was done before, or it is the hash that was made of just this password."""
        if (hash, password) in self.wrong:
            raise VerifyMismatchError
        try:
            return True if self.hashes.get(password) == hash else super().verify(hash, password)
        except VerifyMismatchError:
            self.wrong.add((str(hash), password))
            raise


_HASHER = RememberingHasher()


def remember(passwords: Passwords) -> None:
    """Have these computed once."""
    passwords._hasher = _HASHER
