"""What API keys may use up, where they may be used, and what is noted of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from attrs import evolve
from sqlalchemy import Row, func, select

from whispercore.audit.key import AuditKey
from whispercore.audit.trail import Audit
from whispercore.database.page import Slice
from whispercore.database.session import Database
from whispercore.database.tables import api_key_days, audit_events
from whispercore.errors import Conflict, InvalidRequest, NotAuthenticated, NotPermitted
from whispercore.ids import Uuid7Ids
from whispercore.people.caller import RequestInfo
from whispercore.people.key_limits import KeyLimits
from whispercore.people.keys import MOST_ACTIVE, Keys
from whispercore.people.users import User, Users
from whispercore.testing import FakeClock

PASSWORD = "securePassword123"  # noqa: S105 (the documented example)
DAY_S = 86_400


@pytest.fixture
async def audit(database: Database, clock: FakeClock) -> AsyncIterator[Audit]:
    audit = Audit(database, clock=clock, ids=Uuid7Ids(clock), key=AuditKey())
    yield audit
    await audit.close()


@pytest.fixture
async def keys(database: Database, clock: FakeClock, audit: Audit) -> AsyncIterator[Keys]:
    keys = Keys(database, clock=clock, audit=audit)
    yield keys
    await keys.close()


@pytest.fixture
async def ada(users: Users) -> User:
    return await users.register("ada", PASSWORD)


def from_(address: str) -> RequestInfo:
    return RequestInfo(address=address)


async def noted(audit: Audit) -> list[Row[tuple[object, ...]]]:
    await audit.flush()
    query = select(audit_events).where(audit_events.c.resource_type == "api_key").order_by(audit_events.c.position)
    return list(await audit.database.rows(query))


async def test_a_caller_brings_the_limits_of_his_key(keys: Keys, ada: User) -> None:
    me = ada.caller("token")
    mine = await keys.create(me, ada.id, "k", ("read",), requests_per_minute=5, daily_quota=7)
    assert (await keys.authenticate(mine.key)).key_limits == KeyLimits(requests_per_minute=5, daily_quota=7)
    root = evolve(me, is_admin=True)
    given = await keys.create(root, ada.id, "k", ("read",), requests_per_minute=5)
    assert (await keys.authenticate(given.key)).key_limits == KeyLimits(requests_per_minute=5, granted=True)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::1", True),
        ("11.0.0.1", False),
        ("2001:db9::1", False),
        ("", False),
        ("localhost", False),
    ],
)
async def test_a_key_is_good_where_it_may_be_used(keys: Keys, ada: User, address: str, *, good: bool) -> None:
    allowed = ("10.0.0.0/8", "2001:db8::/32", "10.0.0.0/8")
    made = await keys.create(ada.caller("token"), ada.id, "k", ("read",), allowed_addresses=allowed)
    assert made.info.allowed_addresses == ("10.0.0.0/8", "2001:db8::/32")
    for _ in range(2):  # looked up, and remembered
        if good:
            await keys.authenticate(made.key, from_(address))
        else:
            with pytest.raises(NotPermitted):
                await keys.authenticate(made.key, from_(address))
    assert (await keys.get(ada.caller("token"), made.info.id)).usage_count == (2 if good else 0)


async def test_all_that_is_wrong_with_addresses_is_told(keys: Keys, ada: User) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await keys.create(ada.caller("token"), ada.id, "k", ("read",), allowed_addresses=("x", "::1", "1.2.3.4/5"))
    assert [one.field for one in caught.value.problems] == ["allowed_addresses[0]", "allowed_addresses[2]"]


async def test_of_many_made_at_once_no_more_than_allowed_are(keys: Keys, ada: User) -> None:
    me = ada.caller("token")
    for _ in range(MOST_ACTIVE - 3):
        await keys.create(me, ada.id, "k", ("read",))
    made = await asyncio.gather(*(keys.create(me, ada.id, "k", ("read",)) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(one, Conflict) for one in made) == 7
    assert (await keys.page(me, Slice(0, 1), status="active")).total == MOST_ACTIVE


async def test_an_expired_key_makes_room(keys: Keys, ada: User, clock: FakeClock) -> None:
    me = ada.caller("token")
    for _ in range(MOST_ACTIVE):
        await keys.create(me, ada.id, "k", ("read",), 1)
    clock.advance(DAY_S)
    await keys.create(me, ada.id, "k", ("read",))
    assert (await keys.page(me, Slice(), status="expired")).total == MOST_ACTIVE
    assert (await keys.page(me, Slice(), status="active")).total == 1


async def test_use_is_counted_on_its_day(keys: Keys, ada: User, database: Database, clock: FakeClock) -> None:
    me = ada.caller("token")
    made = await keys.create(me, ada.id, "k", ("read",))
    for requests in (3, 0, 2):
        for _ in range(requests):
            await keys.authenticate(made.key)
        clock.advance(DAY_S)
    for reader in (keys, Keys(database, clock=clock)):
        usage = await reader.usage(me, made.info.id, 4)
        assert [requests for _, requests in usage.days] == [3, 0, 2, 0]
        assert [day for day, _ in usage.days][-1] == clock.now().date().isoformat()
        assert usage.key.usage_count == 5
        await keys.close()


async def test_days_of_long_ago_are_forgotten(keys: Keys, ada: User, database: Database, clock: FakeClock) -> None:
    made = await keys.create(ada.caller("token"), ada.id, "k", ("read",))
    for _ in range(3):
        await keys.authenticate(made.key)
        await keys._uses.close()
        clock.advance(300 * DAY_S)
    async with database.read() as tx:
        assert (await tx.execute(select(func.count()).select_from(api_key_days))).scalar_one() == 2


async def test_the_old_text_of_a_key_is_worth_nothing(keys: Keys, ada: User, audit: Audit) -> None:
    me = ada.caller("token")
    first = await keys.create(me, ada.id, "k", ("read",), requests_per_minute=3)
    await keys.authenticate(first.key)
    second = await keys.regenerate(me, first.info.id)
    third = await keys.regenerate(me, first.info.id)
    with pytest.raises(NotAuthenticated, match="not known"):
        await keys.authenticate(first.key)
    with pytest.raises(NotAuthenticated, match="replaced"):
        await keys.authenticate(second.key)
    caller = await keys.authenticate(third.key)
    assert (caller.key_id, caller.key_limits.requests_per_minute) == (first.info.id, 3)
    await audit.flush()
    await keys.revoke(me, first.info.id)
    for key in (second.key, third.key):
        with pytest.raises(NotAuthenticated):
            await keys.authenticate(key)
    events = await noted(audit)
    assert [(row.event_type, row.action) for row in events] == [
        ("api_key_created", "create an API key"),
        ("api_key_revoked", "regenerate an API key"),
        ("api_key_revoked", "regenerate an API key"),
        ("api_key_used_after_revocation", "use an API key that was revoked"),
        ("api_key_revoked", "revoke an API key"),
        ("api_key_used_after_revocation", "use an API key that was revoked"),
        ("api_key_used_after_revocation", "use an API key that was revoked"),
    ]
    for key in (first.key, second.key, third.key):
        assert key not in str(events)


async def test_what_was_refused_is_noted_with_where_it_came_from(keys: Keys, ada: User, audit: Audit) -> None:
    made = await keys.create(ada.caller("token"), ada.id, "k", ("read",), allowed_addresses=("::1",))
    with pytest.raises(NotPermitted):
        await keys.authenticate(made.key, from_("203.0.113.9"))
    event = (await noted(audit))[-1]
    assert (event.event_type, event.address, event.username, event.blocked) == (
        "authorization_failure",
        "203.0.113.9",
        "ada",
        True,
    )


async def test_a_key_that_nobody_could_make_is_not_noted(
    keys: Keys, ada: User, audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The act and its event are one: where one fails, neither happened."""

    async def full(*_: object) -> None:
        raise OSError("no room")

    me = ada.caller("token")
    kept = await keys.create(me, ada.id, "kept", ("read",))
    with monkeypatch.context() as patch:
        patch.setattr(audit, "append", full)
        for attempt in (
            keys.create(me, ada.id, "k", ("read",)),
            keys.revoke(me, kept.info.id),
            keys.regenerate(me, kept.info.id),
        ):
            with pytest.raises(OSError, match="no room"):
                await attempt
    assert [key.name for key in await keys.list(me, ada.id)] == ["kept"]
    assert (await keys.authenticate(kept.key)).user_id == ada.id
