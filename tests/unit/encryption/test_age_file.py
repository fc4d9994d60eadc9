"""Age files that are made here, and those that pyrage makes."""

from __future__ import annotations

import random

import pyrage
import pytest
from pyrage import x25519

from whispercore.encryption import age, age_file
from whispercore.errors import SealBroken

PIECE = 1 << 16
SIZES = (0, 1, 100, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 7)


def noise(size_bytes: int) -> bytes:
    return random.Random(size_bytes).randbytes(size_bytes)  # noqa: S311 (no secret)


@pytest.mark.parametrize("size_bytes", SIZES)
def test_pyrage_opens_what_is_sealed_here_and_the_other_way_round(size_bytes: int) -> None:
    secret, data = x25519.Identity.generate(), noise(size_bytes)
    sealed = age_file.seal(memoryview(data), str(secret.to_public()))
    assert pyrage.decrypt(bytes(sealed), [secret]) == data
    assert age_file.unseal(sealed, str(secret)) == data
    theirs = pyrage.encrypt(data, [secret.to_public()])
    if theirs.count(b"\n-> ") == 1:  # sometimes it adds a recipient that is none, so that readers learn to bear it
        assert age_file.unseal(theirs, str(secret)) == data


def test_many_keys_are_read_as_pyrage_reads_them() -> None:
    for _ in range(200):
        secret = age.new_identity()
        sealed = age_file.seal(b"data", age.recipient_of(secret))
        assert age.unseal(bytes(sealed), secret) == b"data"


def test_another_key_opens_nothing() -> None:
    sealed = age_file.seal(b"data", age.recipient_of(age.new_identity()))
    with pytest.raises(SealBroken):
        age_file.unseal(sealed, age.new_identity())


@pytest.mark.parametrize("size_bytes", [0, 100, PIECE, 2 * PIECE + 100])
def test_pieces_cannot_be_left_out_moved_or_cut(size_bytes: int) -> None:
    secret = age.new_identity()
    sealed = bytes(age_file.seal(noise(size_bytes), age.recipient_of(secret)))
    head, step = len(sealed) - size_bytes - 16 * max(1, -(-size_bytes // PIECE)), PIECE + 16
    moved = (
        sealed[:head] + sealed[head + step : head + 2 * step] + sealed[head : head + step] + sealed[head + 2 * step :]
    )
    broken = {sealed[:-1], sealed[:-16], sealed[:head], sealed[: head + step], sealed + b"\0", sealed + bytes(16)}
    broken |= {sealed[:head] + sealed[head + step :], moved, sealed[:50], b""}
    for one in broken - {sealed}:
        with pytest.raises(SealBroken):
            age_file.unseal(one, secret)
