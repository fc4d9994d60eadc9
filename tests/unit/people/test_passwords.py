"""Passwords, by the real argon2."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Iterator

import argon2
import pytest

from whispercore.errors import InvalidRequest, Unavailable
from whispercore.machine import cores
from whispercore.people import passwords
from whispercore.people.passwords import Passwords, check_new


@pytest.fixture
def hasher() -> Iterator[Passwords]:
    hasher = Passwords()
    yield hasher
    hasher.close()


async def test_a_password_is_known_again(hasher: Passwords) -> None:
    kept = await hasher.hash("correct horse")
    assert (await hasher.verify("correct horse", kept)).ok
    assert not (await hasher.verify("correct house", kept)).ok
    assert kept != await hasher.hash("correct horse")


async def test_the_work_factors_are_not_weaker_than_recommended(hasher: Passwords) -> None:
    factors = argon2.extract_parameters(await hasher.hash("correct horse"))
    assert factors.type is argon2.Type.ID
    assert factors.memory_cost >= 19 * 1024
    assert factors.time_cost >= 2
    assert factors.parallelism == 1


async def test_an_old_hash_is_renewed_when_its_password_is_right(hasher: Passwords) -> None:
    old = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("correct horse")
    assert (await hasher.verify("wrong", old)).renewed is None
    right = await hasher.verify("correct horse", old)
    assert right.renewed is not None
    assert (await hasher.verify("correct horse", right.renewed)) == passwords.Verified(ok=True)


async def test_nobody_is_compared_with_as_much_work(hasher: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    verify = argon2.PasswordHasher.verify

    def counted(self: argon2.PasswordHasher, kept: str, password: str | bytes) -> bool:
        compared.append(kept)
        return verify(self, kept, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    kept = await hasher.hash("correct horse")
    for name in (kept, None, ""):
        assert not (await hasher.verify("wrong", name)).ok
    assert not (await hasher.verify("the password of nobody", None)).ok
    assert not (await hasher.verify("x" * 2000, kept)).ok
    costs = [argon2.extract_parameters(each) for each in compared]
    assert len(costs) == 5
    assert len({(cost.memory_cost, cost.time_cost, cost.parallelism) for cost in costs}) == 1


@pytest.mark.parametrize("kept", ["nonsense", "$argon2id$v=19$m=65536", "\0"])
async def test_a_damaged_hash_fits_no_password(hasher: Passwords, kept: str) -> None:
    assert not (await hasher.verify("correct horse", kept)).ok


async def test_hashing_holds_nobody_up_and_few_run_at_once(hasher: Passwords) -> None:
    running, most, lock = 0, 0, threading.Lock()
    real = hasher._hasher

    class Counting:
        def hash(self, password: bytes) -> str:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            assert threading.current_thread() is not threading.main_thread()
            made = real.hash(password)
            with lock:
                running -= 1
            return made

    hasher._hasher = Counting()  # type: ignore[assignment]
    await asyncio.gather(*(hasher.hash(f"password number {i}") for i in range(6)))
    assert most <= max(1, cores() // 2)


async def test_comparing_is_done_in_another_thread(hasher: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    verify = argon2.PasswordHasher.verify

    def noting(self: argon2.PasswordHasher, kept: str, password: str | bytes) -> bool:
        threads.append(threading.current_thread())
        return verify(self, kept, password)

    kept = await hasher.hash("correct horse")
    monkeypatch.setattr(argon2.PasswordHasher, "verify", noting)
    for hashed in (kept, None):
        await hasher.verify("correct horse", hashed)
    assert len(threads) == 2
    assert threading.current_thread() not in threads


async def test_too_many_at_once_are_told_so(hasher: Passwords) -> None:
    """And who comes from elsewhere waits for none of them to be done."""
    storm = [asyncio.create_task(hasher.verify("x", None, place="storm")) for _ in range(80)]
    done = await asyncio.wait_for(hasher.verify("x", None, place="ada"), 30)
    assert not done.ok
    assert sum(not task.done() for task in storm) > 10
    answers = await asyncio.gather(*storm, return_exceptions=True)
    refused = [one for one in answers if isinstance(one, Unavailable)]
    assert 0 < len(refused) < 80
    assert all(one == passwords.Verified(ok=False) for one in answers if not isinstance(one, Unavailable))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this for single threads")
async def test_hashing_steps_back_for_everything_else(hasher: Passwords) -> None:
    await hasher.hash("correct horse")
    loop = asyncio.get_running_loop()
    its = await loop.run_in_executor(
        hasher._threads, lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    )
    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert its > mine or mine == 19


async def test_the_same_characters_in_another_normal_form(hasher: Passwords) -> None:
    kept = await hasher.hash("cr\u00e8me br\u00fbl\u00e9e")
    assert (await hasher.verify("cre\u0300me bru\u0302le\u0301e", kept)).ok


@pytest.mark.parametrize("password", ["", "\0", "\ud800" * 9, "x" * 1025, "é" * 1024])
async def test_odd_passwords_are_compared_like_others(hasher: Passwords, password: str) -> None:
    assert not (await hasher.verify(password, await hasher.hash("correct horse"))).ok


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "1234567",
        "password",
        "PASSWORD",
        "".join(chr(ord(c) + 0xFEE0) for c in "password"),  # full width
        "iloveyou1",
        "qwertyuiop",
        "aaaaaaaaaaaa",
        "abababababab",
        "abcdefghijk",
        "987654321098"[:9],
        "x" * 1025,
        "ada@example.com",
        "ADA@example.com",
        "\ud800 a lone surrogate",
    ],
)
def test_what_others_would_guess_is_refused(password: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_new(password, names=("ada@example.com",), field="new_password")
    assert refused.value.problems[0].field == "new_password"
    assert not password or password not in refused.value.problems[0].reason


@pytest.mark.parametrize(
    "password",
    ["securePassword123", "newSecurePassword123", "password123", "correct horse", "пароль-длинный", "x1!" * 341],
)
def test_the_documented_examples_and_good_ones_pass(password: str) -> None:
    check_new(password, names=("user@example.com", "user@example.com"))


def test_the_list_of_common_ones_is_long_enough() -> None:
    assert 500 <= len(passwords._common()) <= 2000
