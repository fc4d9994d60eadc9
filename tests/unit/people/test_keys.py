"""API keys."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, update

from whispercore.database import tables
from whispercore.database.session import Database
from whispercore.errors import InvalidRequest, NotAuthenticated, NotFound, NotPermitted, StorageFull
from whispercore.people.keys import Keys
from whispercore.people.users import User, Users
from whispercore.people.uses import Use
from whispercore.testing import FakeClock

PASSWORD = "securePassword123"  # noqa: S105 (the documented example)


@pytest.fixture
async def ada(users: Users) -> User:
    return await users.register("ada", PASSWORD)


@pytest.fixture
async def bob(users: Users) -> User:
    return await users.register("bob", PASSWORD)


@pytest.fixture
async def root(users: Users, database: Database) -> User:
    made = await users.register("root", PASSWORD)
    async with database.write() as tx:
        await tx.execute(update(tables.users).where(tables.users.c.id == made.id).values(roles='["user", "admin"]'))
    return await users.get(made.id)


async def test_a_key_lets_in_with_what_it_was_given(keys: Keys, ada: User) -> None:
    made = await keys.create(ada.caller("token"), ada.id, "My Integration", ("jobs:read", "jobs:create"), 90)
    assert re.fullmatch(r"wt_[0-9a-f]{16}_[0-9a-f]{16}_[0-9a-f]{4}", made.key)
    assert made.info.preview == f"wt_****_****_{made.key[-4:]}"
    assert made.key not in repr(made)
    caller = await keys.authenticate(made.key)
    assert (caller.user_id, caller.username, caller.via, caller.is_admin) == (ada.id, "ada", "key", False)
    assert caller.scopes == {"jobs:read", "jobs:create"}


async def test_only_a_hash_of_the_key_is_kept(keys: Keys, ada: User, database: Database) -> None:
    made = await keys.create(ada.caller("token"), ada.id, "k", ("read",))
    async with database.read() as connection:
        row = (await connection.execute(select(tables.api_keys))).one()
    assert made.key not in str(row)
    assert made.key[3:19] not in str(row)


async def test_a_key_expires(keys: Keys, ada: User, clock: FakeClock) -> None:
    made = await keys.create(ada.caller("token"), ada.id, "k", ("read",), 1)
    clock.advance(86_399)
    await keys.authenticate(made.key)
    clock.advance(1)
    with pytest.raises(NotAuthenticated, match="expired"):
        await keys.authenticate(made.key)
    assert not (await keys.get(ada.caller("token"), made.info.id)).is_active(clock.now())


async def test_a_revoked_key_lets_nobody_in_at_once(keys: Keys, ada: User) -> None:
    made = await keys.create(ada.caller("token"), ada.id, "k", ("read",))
    await keys.authenticate(made.key)
    revoked = await keys.revoke(ada.caller("token"), made.info.id)
    assert revoked.revoked_at is not None
    with pytest.raises(NotAuthenticated, match="revoked"):
        await keys.authenticate(made.key)
    assert await keys.revoke(ada.caller("token"), made.info.id) == revoked


async def test_what_another_process_changed_is_seen_soon(
    keys: Keys, ada: User, database: Database, clock: FakeClock
) -> None:
    made = await keys.create(ada.caller("token"), ada.id, "k", ("read",))
    await keys.authenticate(made.key)
    async with database.write() as tx:
        await tx.execute(update(tables.users).values(is_active=False))
    clock.advance(5)
    with pytest.raises(NotAuthenticated, match="not active"):
        await keys.authenticate(made.key)


async def test_a_key_never_has_more_than_its_owner(
    keys: Keys, root: User, database: Database, clock: FakeClock
) -> None:
    made = await keys.create(root.caller("token"), root.id, "k", ("admin",))
    assert (await keys.authenticate(made.key)).is_admin
    async with database.write() as tx:
        await tx.execute(update(tables.users).values(roles='["user"]'))
    keys.forget_user(root.id)
    caller = await keys.authenticate(made.key)
    assert not caller.is_admin
    assert not caller.may("admin")
    assert caller.may("jobs:read")


async def test_a_narrow_key_of_an_administrator_is_narrow(keys: Keys, root: User) -> None:
    made = await keys.create(root.caller("token"), root.id, "k", ("jobs:read",))
    caller = await keys.authenticate(made.key)
    assert not caller.is_admin
    assert not caller.may("jobs:create")


async def test_keys_are_their_owners(keys: Keys, ada: User, bob: User, root: User) -> None:
    made = await keys.create(ada.caller("token"), ada.id, "k", ("read",))
    stranger = bob.caller("token")
    for refused in (
        keys.get(stranger, made.info.id),
        keys.revoke(stranger, made.info.id),
        keys.list(stranger, ada.id),
        keys.create(stranger, ada.id, "k", ("read",)),
        keys.get(ada.caller("token"), "nothing"),
        keys.get(ada.caller("token"), "\ud800"),
        keys.list(root.caller("token"), "\ud800"),
        keys.create(root.caller("token"), "nobody", "k", ("read",)),
    ):
        with pytest.raises(NotFound):
            await refused
    assert await keys.list(stranger, bob.id) == ()
    assert await keys.list(root.caller("token"), ada.id) == (made.info,)
    assert await keys.get(root.caller("token"), made.info.id) == made.info


async def test_a_key_hands_out_no_more_than_it_has(keys: Keys, ada: User) -> None:
    made = await keys.create(ada.caller("token"), ada.id, "k", ("jobs:read", "keys:manage"))
    caller = await keys.authenticate(made.key)
    with pytest.raises(NotPermitted):
        await keys.create(caller, ada.id, "wider", ("read",))
    await keys.create(caller, ada.id, "as wide", ("jobs:read",))


async def test_the_newest_is_listed_first(keys: Keys, ada: User) -> None:
    for name in ("one", "two", "three"):
        await keys.create(ada.caller("token"), ada.id, name, ("read",))
    assert [key.name for key in await keys.list(ada.caller("token"), ada.id)] == ["three", "two", "one"]


@pytest.mark.parametrize(
    ("name", "permissions", "days", "field"),
    [
        ("", ("read",), None, "name"),
        (" ", ("read",), None, "name"),
        ("x" * 101, ("read",), None, "name"),
        ("a\0b", ("read",), None, "name"),
        ("\ud800", ("read",), None, "name"),
        ("WHISPERCORE_ADMIN_KEY", ("read",), None, "name"),
        ("k", (), None, "permissions"),
        ("k", ("nonsense",), None, "permissions[0]"),
        ("k", ("read",), 0, "expires_days"),
        ("k", ("read",), -1, "expires_days"),
        ("k", ("read",), 10**9, "expires_days"),
    ],
)
async def test_what_no_key_can_be(  # noqa: PLR0917
    keys: Keys, ada: User, name: str, permissions: tuple[str, ...], days: int | None, field: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await keys.create(ada.caller("token"), ada.id, name, permissions, days)
    assert refused.value.problems[0].field == field


async def test_uses_are_counted_and_written_once_a_minute(
    keys: Keys, ada: User, database: Database, clock: FakeClock, statements: list[str]
) -> None:
    me = ada.caller("token")
    made = await keys.create(me, ada.id, "k", ("read",))
    await keys.authenticate(made.key)
    assert keys._uses._writing is not None
    await keys._uses._writing  # what began in the background
    statements.clear()
    for _ in range(500):
        clock.advance(0.1)
        await keys.authenticate(made.key)
    assert not [each for each in statements if each.startswith("UPDATE")]
    shown = await keys.get(me, made.info.id)
    assert (shown.usage_count, shown.last_used_at) == (501, clock.now())
    clock.advance(10)
    await keys.authenticate(made.key)
    assert keys._uses._writing is not None
    await keys._uses._writing
    assert len([each for each in statements if each.startswith("UPDATE api_keys")]) == 1
    assert (await keys.get(me, made.info.id)).usage_count == 502
    again = Keys(database, clock=clock)
    assert (await again.get(me, made.info.id)).usage_count == 502
    await again.close()


async def test_closing_writes_down_what_was_used(keys: Keys, ada: User, database: Database, clock: FakeClock) -> None:
    made = await keys.create(ada.caller("token"), ada.id, "k", ("read",))
    for _ in range(3):
        await keys.authenticate(made.key)
    await keys.close()
    async with database.read() as connection:
        row = (await connection.execute(select(tables.api_keys))).one()
    assert (row.usage_count, row.last_used_at) == (3, clock.now())


async def test_a_database_that_is_full_costs_no_count_and_no_request(
    keys: Keys, ada: User, database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = ada.caller("token")
    made = await keys.create(me, ada.id, "k", ("read",))

    def full() -> None:
        raise StorageFull

    with monkeypatch.context() as patch:
        patch.setattr(database, "write", full)
        for _ in range(3):
            await keys.authenticate(made.key)
        assert keys._uses._writing is not None
        await keys._uses._writing
        assert (await keys.get(me, made.info.id)).usage_count == 3
        await keys.close()  # in order, though what is left cannot be written
    clock.advance(60)
    await keys.authenticate(made.key)
    await keys.close()
    assert (await keys.get(me, made.info.id)).usage_count == 4
    assert keys._uses.not_yet_written(made.info.id) == Use()


async def test_a_warm_key_asks_the_database_nothing(keys: Keys, ada: User, statements: list[str]) -> None:
    made = await keys.create(ada.caller("token"), ada.id, "k", ("read",))
    await keys.authenticate(made.key)
    assert keys._uses._writing is not None
    await keys._uses._writing
    statements.clear()
    for _ in range(100):
        await keys.authenticate(made.key)
    assert statements == []


@pytest.fixture
def statements(database: Database) -> list[str]:
    """What the database is asked, as it is asked."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    for engine in database.engines:
        event.listen(engine, "before_cursor_execute", note)
    return seen


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(), st.from_regex(r"wt_[0-9a-f]{16}_[0-9a-f]{16}_[0-9a-f]{4}", fullmatch=True)))
async def test_no_text_is_a_key_by_accident(keys: Keys, text: str) -> None:
    with pytest.raises(NotAuthenticated):
        await keys.authenticate(text)


@pytest.mark.parametrize(
    "change", [str.upper, str.strip, lambda key: key[:-1], lambda key: f"{key} ", lambda key: f"{key}0"]
)
async def test_a_key_is_good_as_a_whole_only(keys: Keys, ada: User, change: Callable[[str], str]) -> None:
    made = await keys.create(ada.caller("token"), ada.id, "k", ("read",))
    if change(made.key) == made.key:
        return
    with pytest.raises(NotAuthenticated):
        await keys.authenticate(change(made.key))
