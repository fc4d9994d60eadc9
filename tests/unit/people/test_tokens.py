"""Access tokens, and the keys that they are signed with."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import select, update

from tests.people import People, token_of
from whispercore.database import tables
from whispercore.errors import NotAuthenticated
from whispercore.people.caller import Caller
from whispercore.people.passwords import Passwords
from whispercore.people.signing_keys import SigningKeys
from whispercore.people.tokens import Tokens
from whispercore.people.users import User
from whispercore.testing import FakeClock


@pytest.fixture
async def token(people: People, ada: User) -> str:
    return token_of(await people.enter())


@pytest.fixture
def signing_keys(people: People) -> SigningKeys:
    return people.signing_keys


def claims_of(token: str) -> dict[str, object]:
    body = token.split(".")[1]
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


async def test_a_token_says_who_comes(people: People, ada: User) -> None:
    entered = await people.enter()
    assert entered.access is not None
    assert entered.access.expires_in == 3600
    token = entered.access.token
    assert token not in repr(entered)
    claims = claims_of(token)
    assert (claims["sub"], claims["roles"], claims["sid"]) == (ada.id, ["user"], entered.session_id)
    assert {"exp", "iat", "jti"} <= claims.keys()
    assert await people.tokens.authenticate(token) == evolve(ada.caller("token"), session_id=entered.session_id)


async def test_a_token_lasts_an_hour(tokens: Tokens, token: str, clock: FakeClock) -> None:
    clock.advance(3599)
    await tokens.authenticate(token)
    clock.advance(20)
    with pytest.raises(NotAuthenticated, match="expired"):
        await tokens.authenticate(token)


async def test_a_remembered_token_is_not_remembered_beyond_its_end(
    tokens: Tokens, token: str, clock: FakeClock
) -> None:
    clock.advance(3604)
    await tokens.authenticate(token)
    clock.advance(2)
    with pytest.raises(NotAuthenticated, match="expired"):
        await tokens.authenticate(token)


async def test_what_the_account_says_counts(people: People, token: str, ada: User) -> None:
    await people.tokens.authenticate(token)
    async with people.database.write() as tx:
        await tx.execute(update(tables.users).values(roles='["user", "admin"]'))
    people.recognition.forget_user(ada.id)
    assert (await people.tokens.authenticate(token)).is_admin
    async with people.database.write() as tx:
        await tx.execute(update(tables.users).values(is_active=False))
    people.recognition.forget_user(ada.id)
    with pytest.raises(NotAuthenticated, match="not active"):
        await people.tokens.authenticate(token)


async def test_a_restart_logs_nobody_out(elsewhere: People, token: str, clock: FakeClock) -> None:
    await elsewhere.tokens.authenticate(token)
    clock.advance(1)
    await elsewhere.enter()
    assert len(await elsewhere.database.rows(select(tables.signing_keys))) == 1


async def test_the_database_alone_is_not_enough_to_sign(people: People, token: str, clock: FakeClock) -> None:
    """Nor is a backup of it, which has nothing else."""
    (row,) = await people.database.rows(select(tables.signing_keys))
    claims = claims_of(token)
    for secret in (row.secret.encode(), base64.urlsafe_b64decode(row.secret)):
        key = OctKey.import_key(secret)
        forged = jwt.encode({"alg": "HS256", "kid": row.id}, claims, key, algorithms=["HS256"])
        with pytest.raises(NotAuthenticated, match="not valid"):
            await people.tokens.authenticate(forged)


async def test_with_another_token_key_one_goes_on_by_refreshing(
    people: People, ada: User, passwords: Passwords, clock: FakeClock, tmp_path: Path
) -> None:
    entered = await people.enter()
    assert entered.refresh_token is not None
    again = People.at(people.database, passwords, clock, tmp_path / "restored")
    (tmp_path / "restored").mkdir()
    with pytest.raises(NotAuthenticated, match="not valid"):
        await again.tokens.authenticate(token_of(entered))
    refreshed = await again.refreshing.refresh(Caller.nobody(), entered.refresh_token)
    assert (await again.caller(refreshed)).user_id == ada.id
    with pytest.raises(NotAuthenticated, match="not valid"):
        await people.caller(refreshed)
    await again.close()


async def test_changing_the_key_logs_nobody_out(
    people: People, elsewhere: People, token: str, clock: FakeClock
) -> None:
    await elsewhere.tokens.authenticate(token)
    made = await people.tokens.rotate(Caller.nobody())
    new = token_of(await people.enter())
    assert json.loads(base64.urlsafe_b64decode(new.split(".")[0] + "=="))["kid"] == made.id
    clock.advance(2)
    for each in (people, elsewhere):
        await each.tokens.authenticate(token)
        await each.tokens.authenticate(new)
    clock.advance(timedelta(days=1, seconds=2).total_seconds())
    await people.tokens.rotate(Caller.nobody())
    kept = [row.id for row in await people.database.rows(select(tables.signing_keys.c.id))]
    assert len(kept) == 2
    assert made.id in kept
    assert await people.noted("signing_key_rotated") == ["signing_key_rotated success"] * 2


async def test_after_a_leak_no_old_key_is_believed(
    people: People, elsewhere: People, token: str, clock: FakeClock
) -> None:
    for each in (people, elsewhere):
        await each.tokens.authenticate(token)
    await people.tokens.rotate(Caller.nobody(), believe_old=False)
    with pytest.raises(NotAuthenticated, match="not valid"):
        await people.tokens.authenticate(token)
    clock.advance(10)
    with pytest.raises(NotAuthenticated, match="not valid"):
        await elsewhere.tokens.authenticate(token)
    assert len(await people.database.rows(select(tables.signing_keys))) == 1


async def test_a_key_that_was_retired_long_ago_is_not_believed(people: People, token: str, clock: FakeClock) -> None:
    signing = await people.signing_keys.current()
    await people.signing_keys.rotate()
    assert await people.signing_keys.find(signing.id) is not None
    clock.advance(timedelta(days=1, seconds=1).total_seconds())
    assert await people.signing_keys.find(signing.id) is None


async def test_the_key_of_another_process_is_signed_with_soon(
    people: People, elsewhere: People, clock: FakeClock
) -> None:
    before = await people.signing_keys.current()
    made = await elsewhere.signing_keys.rotate()
    assert (await people.signing_keys.current()).id == before.id
    clock.advance(5)
    assert (await people.signing_keys.current()).id == made.id


async def test_a_key_that_is_derived_tells_nothing(people: People) -> None:
    signing = await people.signing_keys.current()
    assert signing.derived(b"a") == signing.derived(b"a") != signing.derived(b"b")
    assert signing.derived(b"a") != signing.key.raw_value
    assert "key=" not in repr(signing)


@pytest.mark.parametrize(
    "change",
    [
        {"sub": None},
        {"sid": None},
        {"exp": None},
        {"jti": None},
        {"sub": 5},
        {"sub": "somebody else"},
        {"sid": ["x"]},
        {"sid": "nothing"},
        {"exp": "tomorrow"},
        {"exp": 0},
        {"iat": 9_999_999_999},
    ],
)
async def test_claims_have_to_be_there_and_true(
    tokens: Tokens, signing_keys: SigningKeys, token: str, change: dict[str, object]
) -> None:
    claims = claims_of(token)
    for name, value in change.items():
        if value is None:
            del claims[name]
        else:
            claims[name] = value
    signing = await signing_keys.current()
    forged = jwt.encode({"alg": "HS256", "kid": signing.id}, claims, signing.key)
    with pytest.raises(NotAuthenticated):
        await tokens.authenticate(forged)


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512", "RS256", ""])
async def test_other_algorithms_are_not_believed(
    tokens: Tokens, signing_keys: SigningKeys, token: str, algorithm: str
) -> None:
    header, body, signature = token.split(".")
    kid = json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]
    if algorithm in {"HS384", "HS512"}:
        key = (await signing_keys.current()).key
        forged = jwt.encode({"alg": algorithm, "kid": kid}, claims_of(f".{body}."), key, algorithms=[algorithm])
    else:
        head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": kid}).encode()).decode().rstrip("=")
        forged = f"{head}.{body}.{'' if algorithm == 'none' else signature}"
    with pytest.raises(NotAuthenticated):
        await tokens.authenticate(forged)


async def test_a_key_of_somebody_elses_is_not_believed(tokens: Tokens, signing_keys: SigningKeys, token: str) -> None:
    claims = claims_of(token)
    signing = await signing_keys.current()
    for kid in (signing.id, "nothing", ""):
        forged = jwt.encode({"alg": "HS256", "kid": kid}, claims, OctKey.import_key(b"x" * 32))
        with pytest.raises(NotAuthenticated):
            await tokens.authenticate(forged)


async def test_every_changed_character_is_seen(tokens: Tokens, signing_keys: SigningKeys, token: str) -> None:
    for i in range(0, len(token), 7):
        changed = token[:i] + ("A" if token[i] != "A" else "E") + token[i + 1 :]
        with pytest.raises(NotAuthenticated):
            await tokens.authenticate(changed)


WORD = st.from_regex(r"[A-Za-z0-9_-]{0,40}", fullmatch=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(), st.tuples(WORD, WORD, WORD).map(".".join)))
async def test_no_text_is_a_token_by_accident(tokens: Tokens, text: str) -> None:
    with pytest.raises(NotAuthenticated):
        await tokens.authenticate(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    header=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64"]) | st.text(), x),
    ),
    body=st.binary(),
)
async def test_no_header_is_too_odd(tokens: Tokens, header: object, body: bytes) -> None:
    parts = (json.dumps(header).encode(), body, b"x")
    with pytest.raises(NotAuthenticated):
        await tokens.authenticate(".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts))
