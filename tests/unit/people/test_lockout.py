"""Guessing is made slow, and nobody is kept out by others for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from attrs import evolve
from sqlalchemy import Row, insert, select

from whispercore.audit.key import AuditKey
from whispercore.audit.trail import Audit
from whispercore.database.session import Database
from whispercore.database.tables import audit_events, login_failures, users
from whispercore.errors import NotAuthenticated, TooManyRequests, Unavailable
from whispercore.ids import Uuid7Ids
from whispercore.people.back_off import ACCOUNT, FORGOTTEN_AFTER, FROM_NETWORK, KNOWN_FOR, NETWORK, BackOff
from whispercore.people.caller import Caller, RequestInfo
from whispercore.people.lanes import Lanes
from whispercore.people.lockout import Lockout
from whispercore.testing import FakeClock

HOME, OFFICE, CAFE = "192.0.2.1", "198.51.100.1", "203.0.113.1"


def at(address: str) -> Caller:
    return evolve(Caller.nobody(), request=RequestInfo(address=address, request_id="r1"))


class Door:
    """A login whose password is right or wrong as told."""

    def __init__(self, database: Database, clock: FakeClock, key: AuditKey) -> None:
        self.database = database
        self.audit = Audit(database, clock=clock, ids=Uuid7Ids(clock), key=key)
        self.lockout = Lockout(database, clock=clock, audit=self.audit)

    async def fails(self, username: str = "alice", address: str = HOME) -> None:
        with pytest.raises(NotAuthenticated):
            async with self.lockout.attempt(username, at(address)):
                raise NotAuthenticated("the user name or the password is wrong")

    async def succeeds(self, username: str = "alice", address: str = HOME) -> None:
        async with self.lockout.attempt(username, at(address)):
            pass

    async def waits_s(self, username: str = "alice", address: str = HOME) -> int:
        """How long one is told to wait; 0 when a password is looked at."""
        try:
            async with self.lockout.attempt(username, at(address)):
                raise ZeroDivisionError  # noqa: TRY301 (neither right nor wrong: nothing is counted)
        except TooManyRequests as refusal:
            assert refusal.limit_type == "auth"
            return refusal.retry_after
        except ZeroDivisionError:
            return 0

    async def events(self) -> Sequence[Row[Any]]:
        return await self.database.rows(select(audit_events).order_by(audit_events.c.position))


@pytest.fixture
def key() -> AuditKey:
    return AuditKey(text="the key of these tests, which is long")


@pytest.fixture
async def door(database: Database, clock: FakeClock, key: AuditKey) -> AsyncIterator[Door]:
    async with database.write() as tx:
        for name in ("alice", "bob"):
            await tx.execute(
                insert(users),
                {
                    "id": name,
                    "username": name,
                    "username_key": name,
                    "roles": '["user"]',
                    "is_active": True,
                    "created_at": clock.now(),
                },
            )
    door = Door(database, clock, key)
    yield door
    await door.audit.close()


# ---------------------------------------------------------------- the waits


def test_waits_grow_to_their_longest() -> None:
    policy = BackOff(free=3, first_s=10, longest_s=60)
    assert [policy.wait_s(failures) for failures in range(8)] == [0, 0, 0, 10, 20, 40, 60, 60]
    assert policy.wait_s(10**9) == 60
    assert FORGOTTEN_AFTER.total_seconds() >= 2 * max(one.longest_s for one in (FROM_NETWORK, ACCOUNT, NETWORK))


async def test_who_guesses_waits_longer_and_longer(door: Door, clock: FakeClock) -> None:
    for _ in range(FROM_NETWORK.free):
        assert await door.waits_s() == 0
        await door.fails()
    waits = []
    for _ in range(7):
        waits.append(await door.waits_s())
        clock.advance(waits[-1] - 0.5)
        assert await door.waits_s() == 1
        clock.advance(0.5)
        await door.fails()
    assert waits == [30, 60, 120, 240, 480, 900, 900]


async def test_while_he_waits_nothing_is_counted(door: Door, clock: FakeClock) -> None:
    """So that coming too early makes nothing worse."""
    for _ in range(FROM_NETWORK.free):
        await door.fails()
    for _ in range(50):
        assert await door.waits_s() == 30
    clock.advance(30)
    await door.fails()
    assert await door.waits_s() == 60


async def test_the_right_password_ends_the_count(door: Door) -> None:
    for _ in range(3):
        for _ in range(FROM_NETWORK.free - 1):
            await door.fails()
        await door.succeeds()
    assert await door.waits_s() == 0


async def test_failures_are_forgotten(door: Door, clock: FakeClock) -> None:
    for _ in range(FROM_NETWORK.free - 1):
        await door.fails()
    clock.advance(FORGOTTEN_AFTER.total_seconds() + 1)
    await door.fails()
    assert await door.waits_s() == 0


async def test_an_account_that_is_not_there_waits_alike(door: Door) -> None:
    for name in ("alice", "nobody-has-this-name"):
        for _ in range(FROM_NETWORK.free):
            await door.fails(name)
        assert await door.waits_s(name) == 30


async def test_spellings_of_a_name_are_one_account(door: Door) -> None:
    for name in ("alice", "ALICE", " alice ", "ａｌｉｃｅ", "Alice"):  # noqa: RUF001
        await door.fails(name)
    assert await door.waits_s("aLiCe") == 30


async def test_the_addresses_of_one_customer_are_one(door: Door) -> None:
    for number in range(FROM_NETWORK.free):
        await door.fails(address=f"2001:db8:1:2::{number:x}")
    assert await door.waits_s(address="2001:db8:1:2:ffff::9") == 30
    assert await door.waits_s(address="2001:db8:1:3::1") == 0


async def test_where_it_is_switched_off_nobody_waits_and_all_is_noted(door: Door, clock: FakeClock) -> None:
    door.lockout = Lockout(door.database, clock=clock, audit=door.audit, is_on=False)
    for _ in range(3 * FROM_NETWORK.free):
        await door.fails()
    assert await door.waits_s() == 0
    assert [one.event_type for one in await door.events()] == ["auth_failure"] * 3 * FROM_NETWORK.free


# ---------------------------------------------------------------- nobody is kept out by others


async def test_an_owner_elsewhere_does_not_wait_for_who_guesses(door: Door) -> None:
    for _ in range(FROM_NETWORK.free):
        await door.fails(address=CAFE)
    assert await door.waits_s(address=CAFE) == 30
    assert await door.waits_s(address=HOME) == 0


async def test_many_who_guess_make_the_account_pause_shortly(door: Door) -> None:
    """But not where its owner has logged in before."""
    await door.succeeds(address=HOME)
    for number in range(ACCOUNT.free):
        await door.fails(address=f"203.0.113.{number}")
    assert 0 < await door.waits_s(address=OFFICE) <= ACCOUNT.longest_s
    assert await door.waits_s(address=HOME) == 0


async def test_an_account_never_pauses_for_longer_than_half_a_minute(door: Door, clock: FakeClock) -> None:
    waits = []
    for number in range(60):
        address = f"2001:db8:0:{number:x}::1"
        if wait_s := await door.waits_s(address=address):
            waits.append(wait_s)
            clock.advance(wait_s)
        await door.fails(address=address)
    assert max(waits) == 30


async def test_who_tries_many_accounts_waits_for_all(door: Door) -> None:
    """One guess for each; but not for accounts that were logged in to from this network before."""
    await door.succeeds("alice", OFFICE)
    for number in range(NETWORK.free):
        await door.fails(f"name{number}", OFFICE)
    assert await door.waits_s("bob", OFFICE) == 60
    assert await door.waits_s("alice", OFFICE) == 0
    assert await door.waits_s("bob", HOME) == 0


async def test_an_own_account_does_not_wipe_out_the_count_of_a_network(door: Door) -> None:
    for number in range(NETWORK.free - 1):
        await door.fails(f"name{number}", CAFE)
    await door.succeeds("bob", CAFE)
    await door.fails("one more", CAFE)
    assert await door.waits_s("alice", CAFE) == 60


async def test_what_has_no_address_is_counted_by_account_only(door: Door) -> None:
    for number in range(NETWORK.free + 1):
        await door.fails(f"name{number}", "")
    assert await door.waits_s("alice", "") == 0


async def test_a_network_is_known_for_a_time(door: Door, clock: FakeClock) -> None:
    await door.succeeds(address=HOME)
    clock.advance(KNOWN_FOR.total_seconds() + 1)
    for number in range(ACCOUNT.free):
        await door.fails(address=f"203.0.113.{number}")
    assert await door.waits_s(address=HOME) > 0


# ---------------------------------------------------------------- processes, restarts, races


async def test_another_process_and_a_restart_know_as_well(door: Door, clock: FakeClock, key: AuditKey) -> None:
    for _ in range(FROM_NETWORK.free):
        await door.fails()
    assert await Door(door.database, clock, key).waits_s() == 30


async def test_many_at_once_are_not_more_guesses(door: Door) -> None:
    """Those that come together wait for each other: not all are looked at before the first has failed."""
    looked_at = 0

    async def guess() -> None:
        nonlocal looked_at
        with suppress(NotAuthenticated, TooManyRequests):
            async with door.lockout.attempt("alice", at(HOME)):
                looked_at += 1
                await asyncio.sleep(0)
                raise NotAuthenticated

    await asyncio.gather(*(guess() for _ in range(60)))
    assert looked_at < 2 * FROM_NETWORK.free


async def test_many_right_ones_at_once_are_all_let_in(door: Door) -> None:
    await asyncio.gather(*(door.succeeds() for _ in range(40)))
    rows = await door.database.rows(select(login_failures))
    assert len(rows) == 1


async def test_one_who_goes_away_is_not_counted(door: Door) -> None:
    async def gone() -> None:
        async with door.lockout.attempt("alice", at(HOME)):
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(gone())
    await asyncio.sleep(0.05)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert await door.database.rows(select(login_failures)) == []
    assert len(door.lockout._lanes) == 0


async def test_a_lane_takes_no_endless_queue() -> None:
    lanes = Lanes(1, most_waiting=1)
    async with lanes.taken("a"):
        second = asyncio.create_task(_through(lanes))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            async with lanes.taken("a"):
                pass
        async with lanes.taken("b"):
            pass
    await second
    assert len(lanes) == 0


async def _through(lanes: Lanes) -> None:
    async with lanes.taken("a"):
        pass


# ---------------------------------------------------------------- who is told


async def test_failures_and_locks_are_in_the_trail(door: Door) -> None:
    for _ in range(FROM_NETWORK.free):
        await door.fails()
    events = await door.events()
    assert [one.event_type for one in events] == ["auth_failure"] * FROM_NETWORK.free + ["account_locked"]
    assert {one.username for one in events} == {"alice"}
    assert {one.address for one in events} == {HOME}
    assert {one.user_id for one in events} == {None}


async def test_a_password_in_the_place_of_a_name_is_kept_nowhere(door: Door) -> None:
    secret = "Tr0ub4dor&3"  # noqa: S105
    for _ in range(FROM_NETWORK.free):
        await door.fails(secret)
    everything = [str(tuple(row)) for row in await door.events()]
    everything += [str(tuple(row)) for row in await door.database.rows(select(login_failures))]
    assert everything
    assert not any(secret.casefold() in one.casefold() for one in everything)


HOSTILE = ["", "\0", "\ud800", "x" * 100_000, "a|b", "%", "_" * 32, "' OR 1=1 --"]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_hostile_name_is_a_name(name: str, door: Door) -> None:
    await door.succeeds("bob")
    for _ in range(FROM_NETWORK.free):
        await door.fails(name, CAFE)
    assert await door.waits_s(name, CAFE) == 30
    assert await door.waits_s("alice", CAFE) == 0


@pytest.mark.parametrize("address", ["", "not an address", "fe80::1%eth0", "::ffff:192.0.2.1", "x" * 1000])
async def test_a_strange_address_is_no_trouble(address: str, door: Door) -> None:
    for _ in range(FROM_NETWORK.free):
        await door.fails(address=address)
    assert await door.waits_s(address=address) == 30


# ---------------------------------------------------------------- administrators


async def test_locks_are_listed_and_lifted(door: Door) -> None:
    for _ in range(FROM_NETWORK.free):
        await door.fails()
        await door.fails("no such account", CAFE)
    assert {(one.username, one.network) for one in await door.lockout.locks()} == {("alice", HOME), (None, CAFE)}
    assert await door.lockout.unlock(at(""), username="alice") == 2
    assert await door.waits_s() == 0
    assert await door.waits_s("no such account", CAFE) == 30
    assert await door.lockout.unlock(at(""), address=CAFE) == 2
    assert await door.lockout.locks() == []
    assert [one.event_type for one in await door.events()][-2:] == ["account_unlocked", "address_unlocked"]


async def test_what_counts_no_more_is_dropped(door: Door, clock: FakeClock) -> None:
    await door.succeeds("bob")
    await door.fails("alice", CAFE)
    await door.lockout.forget()
    assert len(await door.database.rows(select(login_failures))) == 4
    clock.advance(FORGOTTEN_AFTER.total_seconds() + 1)
    await door.lockout.forget()
    (row,) = await door.database.rows(select(login_failures))
    assert row.username == "bob"
    clock.advance(KNOWN_FOR.total_seconds())
    await door.lockout.forget()
    assert await door.database.rows(select(login_failures)) == []
