"""Who gets in by the word of a provider, as whom, and as what; on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import delete, select

from tests.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIdProvider, Person, back_from
from tests.people import PASSWORD, People
from whispercore.database import tables
from whispercore.database.page import Slice
from whispercore.database.session import Database
from whispercore.errors import Conflict, NotAuthenticated, NotFound, NotPermitted
from whispercore.oidc.options import Admins, OidcOptions
from whispercore.oidc.sign_in import LASTS_S, Back, OidcSignIn, SignedIn
from whispercore.people.caller import Caller
from whispercore.people.roster import ROLES
from whispercore.testing import FakeClock

BACK = "https://speech.example.com/auth/oidc/callback"
Make = Callable[..., OidcSignIn]


@pytest.fixture
async def make(people: People, database: Database, there: OpenIdProvider) -> AsyncIterator[Make]:
    """A way in by way of the provider, with these options."""
    made: list[OidcSignIn] = []

    def make(**changes: Any) -> OidcSignIn:
        usual = {"issuer": there.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "registers": True}
        made.append(OidcSignIn(OidcOptions(**{**usual, **changes}), database, people, people.audit))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def back(
    way: OidcSignIn, there: OpenIdProvider, person: Person | None = None, links: Caller | None = None
) -> tuple[Back, str]:
    """What somebody comes back with, and what his browser has kept."""
    if person is not None:
        there.person = person
    begun = await way.begin(redirect_url=BACK, next_page=None, by_cookie=False, links=links)
    told = await asyncio.to_thread(back_from, begun.url)
    return Back(state=told["state"], code=told["code"]), begun.browser


async def signs_in(
    way: OidcSignIn, there: OpenIdProvider, person: Person | None = None, links: Caller | None = None
) -> SignedIn:
    told, browser = await back(way, there, person, links)
    return await way.finish(Caller.nobody(), told, browser=browser)


async def test_what_comes_to_be_of_it(make: Make, there: OpenIdProvider, people: People, database: Database) -> None:
    way, email = make(), there.person.claims["email"]
    done = await signs_in(way, there)
    assert (await people.caller(done.entered)).username == email
    assert await people.noted("account_created", "identity_linked", "auth_success") == [
        "account_created success",
        f"{email} identity_linked success",
        f"{email} auth_success success",
    ]
    (row,) = await database.rows(select(tables.identities))
    assert (row.issuer, row.subject, row.user_id) == (there.url, there.person.subject, done.entered.user.id)
    assert await database.rows(select(tables.sign_ins)) == []
    async with database.write() as tx:
        await tx.execute(delete(tables.users).where(tables.users.c.id == row.user_id))
    assert await database.rows(select(tables.identities)) == []


async def test_a_closed_house_lets_in_who_is_known(make: Make, there: OpenIdProvider, people: People) -> None:
    open_, closed = make(), make(registers=False)
    first = await signs_in(open_, there)
    known = there.person
    with pytest.raises(NotPermitted, match="makes no accounts"):
        await signs_in(closed, there, Person.mailed("new@example.com"))
    assert (await signs_in(closed, there, known)).entered.user.id == first.entered.user.id
    assert (await people.noted("auth_failure")) == ["auth_failure failure"]


@pytest.mark.parametrize(
    "person",
    [
        Person.mailed("new@example.com", verified=False),
        Person(),
        Person(claims={"email": "", "email_verified": True}),
    ],
    ids=["unverified", "nothing", "empty"],
)
async def test_who_cannot_be_called_anything_gets_no_account(make: Make, there: OpenIdProvider, person: Person) -> None:
    with pytest.raises(NotPermitted, match="what to call you"):
        await signs_in(make(), there, person)


@pytest.mark.parametrize("name", ["x" * 151, "a\u200bb"], ids=["long", "invisible"])
async def test_a_name_that_nobody_can_have(make: Make, there: OpenIdProvider, database: Database, name: str) -> None:
    with pytest.raises(Conflict, match="username"):
        await signs_in(make(username_claim="nickname"), there, Person(claims={"nickname": name}))
    assert await database.rows(select(tables.users)) == []


async def test_a_local_account_is_nobody_elses(make: Make, there: OpenIdProvider, people: People) -> None:
    await people.users.register("ada@example.com", PASSWORD, "ada@example.com")
    with pytest.raises(Conflict, match="taken"):
        await signs_in(make(), there, Person.mailed("ADA@example.com"))


async def test_a_verified_address_is_enough_where_a_setting_says_so(
    make: Make, there: OpenIdProvider, people: People
) -> None:
    way = make(links_by_email=True, registers=False)
    ada = await people.users.register("ada", PASSWORD, "Ada@example.com")
    with pytest.raises(NotPermitted):
        await signs_in(way, there, Person.mailed("ada@example.com", verified=False))
    done = await signs_in(way, there, Person.mailed("ada@EXAMPLE.com"))
    assert done.entered.user.id == ada.id
    assert (await people.enter()).user.id == ada.id, "her password goes on"
    for name in ("one", "two"):
        await people.users.register(name, PASSWORD, "shared@example.com")
    with pytest.raises(NotPermitted):
        await signs_in(way, there, Person.mailed("shared@example.com"))


async def test_a_user_may_come_from_several_identities(make: Make, there: OpenIdProvider, people: People) -> None:
    way = make(registers=False)
    ada = await people.users.register("ada", PASSWORD)
    caller = await people.caller(await people.enter())
    for person in (Person(), Person()):
        assert (await signs_in(way, there, person, links=caller)).entered.user.id == ada.id
        assert (await signs_in(way, there, person, links=caller)).entered.user.id == ada.id, "again"
        assert (await signs_in(way, there, person)).entered.user.id == ada.id
    assert len(await people.noted("identity_linked")) == 2


async def test_a_user_takes_identities_away_until_the_last_way_in(
    make: Make, there: OpenIdProvider, people: People, clock: FakeClock
) -> None:
    way = make()
    ada = (await signs_in(way, there)).entered
    caller = await people.caller(ada)
    (first,) = (await way.linked.listed(caller, Slice())).rows
    assert (first.issuer, first.subject, first.lets_in) == (there.url, there.person.subject, True)
    with pytest.raises(Conflict, match="no other way"):
        await way.linked.unlink(caller, first.id)
    clock.advance(1)
    await signs_in(way, there, Person(), links=caller)
    page = await way.linked.listed(caller, Slice(limit=1))
    assert (page.total, [one.subject for one in page.rows]) == (2, [there.person.subject])
    ended = await asyncio.gather(
        *(way.linked.unlink(caller, one) for one in (first.id, page.rows[0].id)), return_exceptions=True
    )
    assert {type(one) for one in ended} == {type(None), Conflict}, "one after the other"
    assert (await way.linked.listed(caller, Slice())).total == 1
    assert await people.noted("identity_unlinked") == [f"{ada.user.username} identity_unlinked success"]


async def test_who_has_a_password_needs_no_identity(make: Make, there: OpenIdProvider, people: People) -> None:
    way = make(registers=False)
    await people.users.register("ada", PASSWORD)
    caller = await people.caller(await people.enter())
    await signs_in(way, there, links=caller)
    (one,) = (await way.linked.listed(caller, Slice())).rows
    await way.linked.unlink(caller, one.id)
    with pytest.raises(NotFound):
        await way.linked.unlink(caller, one.id)
    with pytest.raises(NotPermitted):
        await signs_in(way, there, there.person)


async def test_one_of_another_provider_is_no_way_in(make: Make, there: OpenIdProvider, people: People) -> None:
    caller = await people.caller((await signs_in(make(), there)).entered)
    moved = make(issuer="https://login.example.com")
    (old,) = (await moved.linked.listed(caller, Slice())).rows
    assert not old.lets_in
    await moved.linked.unlink(caller, old.id)
    assert (await moved.linked.listed(caller, Slice())).total == 0


async def test_a_link_needs_a_session_that_goes_on(make: Make, there: OpenIdProvider, people: People) -> None:
    way = make()
    await people.users.register("ada", PASSWORD)
    caller = await people.caller(await people.enter())
    told, browser = await back(way, there, links=caller)
    await people.entry.logout(caller)
    with pytest.raises(NotAuthenticated, match="has ended"):
        await way.finish(Caller.nobody(), told, browser=browser)
    with pytest.raises(Conflict, match="API key"):
        await way.begin(redirect_url=BACK, next_page=None, by_cookie=True, links=Caller.nobody())


async def test_an_account_that_was_closed_meanwhile(
    make: Make, there: OpenIdProvider, people: People, database: Database
) -> None:
    way = make(links_by_email=True, registers=False)
    ada = await people.users.register("ada", PASSWORD, "ada@example.com")
    root = Caller(user_id="root", username="root", scopes=frozenset(), is_admin=True)
    await people.roster.set_active(root, ada.id, active=False)
    with pytest.raises(NotAuthenticated, match="not active"):
        await signs_in(way, there, Person.mailed("ada@example.com"))
    assert await database.rows(select(tables.identities)) == [], "nothing is half done"


async def test_two_who_come_for_the_first_time_at_once_are_one(
    make: Make, there: OpenIdProvider, database: Database
) -> None:
    way = make()
    comings = [await back(way, there) for _ in range(4)]
    done = await asyncio.gather(*(way.finish(Caller.nobody(), told, browser=browser) for told, browser in comings))
    assert len({one.entered.user.id for one in done}) == 1
    assert len(await database.rows(select(tables.users))) == 1


# ---------------------------------------------------------------- roles


async def test_the_provider_may_say_who_administers(make: Make, there: OpenIdProvider, people: People) -> None:
    way = make(admins=Admins(claim="groups", value="admins"))
    await people.users.register("root", PASSWORD, roles=ROLES["admin"])
    boss = Person.mailed("boss@example.com", groups=["admins"])
    entered = (await signs_in(way, there, boss)).entered
    assert (await people.caller(entered)).is_admin
    boss.claims["groups"] = []
    again = (await signs_in(way, there, boss)).entered
    assert not (await people.caller(again)).is_admin
    assert not (await people.caller(entered)).is_admin, "in his older session neither"
    boss.claims["groups"] = ["admins"]
    assert (await people.caller((await signs_in(way, there, boss)).entered)).is_admin
    assert await people.noted("role_change") == ["boss@example.com role_change success"] * 2


async def test_the_last_administrator_stays_one(make: Make, there: OpenIdProvider, people: People) -> None:
    way = make(admins=Admins(claim="groups", value="admins"))
    boss = Person.mailed("boss@example.com", groups=["admins"])
    await signs_in(way, there, boss)
    del boss.claims["groups"]
    assert (await people.caller((await signs_in(way, there, boss)).entered)).is_admin


async def test_roles_are_ours_unless_a_setting_says_otherwise(
    make: Make, there: OpenIdProvider, people: People
) -> None:
    entered = (await signs_in(make(), there, Person.mailed("boss@example.com", groups=["admins"]))).entered
    assert not (await people.caller(entered)).is_admin


# ---------------------------------------------------------------- attempts


async def test_who_takes_too_long_begins_again(make: Make, there: OpenIdProvider, clock: FakeClock) -> None:
    way = make()
    told, browser = await back(way, there)
    clock.advance(LASTS_S)
    with pytest.raises(NotAuthenticated, match="too long"):
        await way.finish(Caller.nobody(), told, browser=browser)
    assert "/token" not in there.asked


async def test_what_nobody_came_back_from_is_forgotten(
    make: Make, there: OpenIdProvider, clock: FakeClock, database: Database
) -> None:
    way = make()
    old = await back(way, there)
    clock.advance(LASTS_S / 2)
    told, browser = await back(way, there)
    clock.advance(LASTS_S / 2)
    await way.attempts.sweep(clock.now())
    assert len(await database.rows(select(tables.sign_ins))) == 1
    await way.finish(Caller.nobody(), told, browser=browser)
    with pytest.raises(NotAuthenticated):
        await way.finish(Caller.nobody(), old[0], browser=old[1])


async def test_of_many_who_bring_the_same_one_gets_in(make: Make, there: OpenIdProvider) -> None:
    way = make()
    told, browser = await back(way, there)
    ends = await asyncio.gather(
        *(way.finish(Caller.nobody(), told, browser=browser) for _ in range(5)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in ends) == ["NotAuthenticated"] * 4 + ["SignedIn"]


async def test_who_says_who_it_is_has_to_be_it(make: Make, there: OpenIdProvider) -> None:
    there.about = {"authorization_response_iss_parameter_supported": True}
    way = make()
    for issuer in (None, "https://evil.example"):
        told, browser = await back(way, there)
        with pytest.raises(NotAuthenticated, match="another provider"):
            await way.finish(Caller.nobody(), Back(state=told.state, code=told.code, issuer=issuer), browser=browser)


async def test_what_is_kept_lets_nobody_in(make: Make, there: OpenIdProvider, database: Database) -> None:
    told, browser = await back(make(), there)
    (row,) = await database.rows(select(tables.sign_ins))
    assert not {told.state, browser, told.code} & {str(value) for value in row}
    for secret in (told.state, told.code or ""):
        assert secret not in repr(told)
