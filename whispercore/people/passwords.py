"""Passwords: the rules for new ones, and argon2id for the kept ones, off the event loop.

The work factors are those that OWASP recommends for argon2id with one lane. Hashing is made to be expensive, so few run
at once, on half of the cores and with less right to them than all else: twenty logins at the same moment wait for each
other, and nobody else waits for them. Too many are told at once to come back.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import threading
import unicodedata
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, cached_property
from importlib.resources import files
from typing import Final

import argon2
from attrs import frozen

from whispercore.errors import InvalidRequest
from whispercore.machine import cores
from whispercore.people.turns import Turns

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
SHORTEST = 8
"""Characters that a new password has at least."""
LONGEST = 1024
"""Characters that any password has at most: what is longer is an attempt to keep us busy."""
_NICE: Final = 10
"""How far the threads step back: with all cores busy they still get a tenth of one."""
_REST: Final = 2.0
"""How much longer than it took nothing follows a comparison that failed: who guesses gets a third of the time."""
_LONGEST_REST_S: Final = 0.5
_FEW = 3
"""A new password that is made of fewer different characters is as easily guessed as a common one."""


@frozen(kw_only=True)
class Verified:
    """What came of comparing a password with its hash."""

    ok: bool
    renewed: str | None = None
    """A new hash to keep in place of the old one, which was made with other work factors."""


class Passwords:
    """Hashes and compares passwords.

    Args:
        threads: How many are worked on at once; on half of the cores if not given.
    """

    def __init__(self, *, threads: int | None = None) -> None:
        threads = threads if threads is not None else max(1, cores() // 2)
        self._hasher = argon2.PasswordHasher(
            time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, type=argon2.Type.ID
        )
        self._turns = Turns(threads)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="passwords", initializer=_step_back)

    def close(self) -> None:
        """End the threads; what waits is dropped."""
        self._threads.shutdown(cancel_futures=True)

    async def hash(self, password: str, *, place: str = "") -> str:
        """The hash to keep, with its salt and work factors in it.

        Args:
            password: The new one.
            place: Where it comes from; places take turns.

        Raises:
            Unavailable: Too many wait already.
        """
        async with self._turns.taken(place):
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, _bytes(password))

    async def verify(self, password: str, kept: str | None, *, place: str = "") -> Verified:
        """Compare. It takes as long when there is nothing to compare with.

        Args:
            password: What somebody says it is.
            kept: The hash; None for a user who does not exist or has no password.
            place: Where it comes from; places take turns.

        Raises:
            Unavailable: Too many wait already.
        """
        loop = asyncio.get_running_loop()
        async with self._turns.taken(place) as turn:
            began_s = loop.time()
            verified = await loop.run_in_executor(self._threads, self._verify, password, kept)
            if not verified.ok:
                turn.rest_s = min(_REST * (loop.time() - began_s), _LONGEST_REST_S)
        return verified

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(b"the password of nobody")

    def _verify(self, password: str, kept: str | None) -> Verified:
        nobodys = self._nobodys  # made before the first comparison of either kind, so that neither is told by it
        given = _bytes(password) if len(password) <= LONGEST else b""
        try:
            self._hasher.verify(kept or nobodys, given)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return Verified(ok=False)
        if not kept or len(password) > LONGEST:
            return Verified(ok=False)
        renewed = self._hasher.hash(given) if self._hasher.check_needs_rehash(kept) else None
        return Verified(ok=True, renewed=renewed)


def _step_back() -> None:
    """Let all other threads of this process and machine go first; only Linux can do that for a single thread."""
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + _NICE))


def check_new(password: str, *, names: Iterable[str] = (), field: str = "password") -> None:
    """Refuse a new password that others would guess.

    Args:
        password: The one that somebody wants.
        names: What everybody knows of him: his user name, his address.
        field: What the request calls it, for the error.

    Raises:
        InvalidRequest: It is too short, too long, among the commonest, or one of the names.
    """
    folded = _fold(password)
    if len(password) < SHORTEST:
        reason = f"it needs at least {SHORTEST} characters"
    elif len(password) > LONGEST:
        reason = f"it can have at most {LONGEST} characters"
    elif any("\ud800" <= character <= "\udfff" for character in password):
        reason = "it is not valid Unicode"
    elif folded in _common() or len(set(folded)) < _FEW or _is_run(folded):
        reason = "it is one of the first that anybody would guess; take another"
    elif folded in {_fold(name) for name in names}:
        reason = "it is your name; take another"
    else:
        return
    raise InvalidRequest.one(field, reason)


@cache
def _common() -> frozenset[str]:
    # `password123` is not in the list: the documented example of registering uses it, and has to work.
    text = files("whispercore.people").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(_fold(line) for line in text.splitlines())


def _is_run(password: str) -> bool:
    steps = {ord(b) - ord(a) for a, b in itertools.pairwise(password)}
    return steps in ({1}, {-1})


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _bytes(password: str) -> bytes:
    # the same password typed on another keyboard may come in another normal form
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
