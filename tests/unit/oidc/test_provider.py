"""What a provider can do wrong: nobody gets in by it, nothing waits for ever, and it may do better the next time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import requests
from aiohttp import web
from attrs import evolve
from joserfc.jwk import RSAKey

from tests.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Answer,
    OpenIdProvider,
    back_from,
    new_key,
    signed_with_public_key,
    unsigned,
)
from whispercore.errors import NotAuthenticated, Unavailable
from whispercore.oidc import oauth
from whispercore.oidc.id_token import Identity
from whispercore.oidc.options import Admins, OidcOptions
from whispercore.oidc.provider import MOST_BYTES, Provider
from whispercore.testing import FakeClock

BACK = "https://speech.example.com/auth/oidc/callback"
DISCOVERY = "/.well-known/openid-configuration"


def options_for(there: OpenIdProvider, **changes: Any) -> OidcOptions:
    return OidcOptions(**{"issuer": there.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **changes})


@pytest.fixture
async def provider(there: OpenIdProvider, clock: FakeClock) -> AsyncIterator[Provider]:
    provider = Provider(options_for(there), clock)
    yield provider
    await provider.close()


async def signs_in(provider: Provider, there: OpenIdProvider) -> Identity:
    """There and back."""
    about = await provider.discovery()
    state, nonce, verifier = (oauth.new_secret() for _ in range(3))
    url = oauth.authorization_url(
        about.authorization_endpoint, provider.options, redirect_url=BACK, state=state, nonce=nonce, verifier=verifier
    )
    back = await asyncio.to_thread(back_from, url)
    assert back["state"] == state
    return await provider.identity(back["code"], redirect_url=BACK, verifier=verifier, nonce=nonce)


def answering(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    return answer


async def test_who_somebody_is(provider: Provider, there: OpenIdProvider) -> None:
    found = await signs_in(provider, there)
    email = there.person.claims["email"]
    assert (found.issuer, found.subject, found.username, found.email) == (there.url, there.person.subject, email, email)
    assert found.is_admin is None


@pytest.mark.parametrize("methods", [["client_secret_post"], ["client_secret_post", "client_secret_basic"], []])
async def test_it_is_shown_the_secret_as_it_wants_it(
    provider: Provider, there: OpenIdProvider, methods: list[str]
) -> None:
    there.about = {"token_endpoint_auth_methods_supported": methods}
    assert (await signs_in(provider, there)).subject == there.person.subject


async def test_one_with_rsa_keys(provider: Provider, there: OpenIdProvider) -> None:
    there.key = RSAKey.generate_key(2048, {"kid": "rsa"})
    assert (await signs_in(provider, there)).subject == there.person.subject


async def test_it_is_asked_about_itself_once(provider: Provider, there: OpenIdProvider, clock: FakeClock) -> None:
    await asyncio.gather(*(signs_in(provider, there) for _ in range(5)))
    assert (there.asked.count(DISCOVERY), there.asked.count("/keys")) == (1, 1)
    clock.advance(3601)
    await signs_in(provider, there)
    assert (there.asked.count(DISCOVERY), there.asked.count("/keys")) == (2, 2)


# ---------------------------------------------------------------- ID tokens


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"aud": "another"}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": ["another", "yet another"]}, "aud"),
        ({"aud": [CLIENT_ID, "another"]}, "another client"),
        ({"azp": "another"}, "another client"),
        ({"aud": [CLIENT_ID, "another"], "azp": "another"}, "another client"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": None}, "iss"),
        ({"exp": 1}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "exp"),
        ({"iat": 1 << 40}, "iat"),
        ({"iat": None}, "iat"),
        ({"sub": None}, "sub"),
        ({"sub": 7}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": "x" * 256}, "subject"),
        ({"sub": "a\nb"}, "subject"),
    ],
    ids=str,
)
async def test_a_token_with_wrong_claims(
    provider: Provider, there: OpenIdProvider, claims: dict[str, Any], why: str
) -> None:
    there.claims = claims
    with pytest.raises(NotAuthenticated, match=why):
        await signs_in(provider, there)


@pytest.mark.parametrize("claims", [{"aud": [CLIENT_ID]}, {"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID}], ids=str)
async def test_a_token_for_several(provider: Provider, there: OpenIdProvider, claims: dict[str, Any]) -> None:
    there.claims = claims
    assert (await signs_in(provider, there)).subject == there.person.subject


@pytest.mark.parametrize(
    "sign",
    [
        lambda _: unsigned,
        lambda there: signed_with_public_key(there.key),
        lambda _: lambda _: "no token",
        lambda _: lambda _: "a.b.c",
        lambda _: lambda _: "",
        lambda there: lambda claims: there.signed(claims)[:-4] + "AAAA",
    ],
    ids=["alg none", "HS256 with the public key", "words", "dots", "empty", "another signature"],
)
async def test_a_token_that_it_has_not_signed(
    provider: Provider, there: OpenIdProvider, sign: Callable[[OpenIdProvider], Callable[[dict[str, Any]], str]]
) -> None:
    there.sign = sign(there)
    with pytest.raises(NotAuthenticated, match="ID token"):
        await signs_in(provider, there)


async def test_a_key_that_is_new_is_looked_for_once(provider: Provider, there: OpenIdProvider) -> None:
    await signs_in(provider, there)
    there.key = new_key()
    await signs_in(provider, there)
    assert there.asked.count("/keys") == 2
    there.published, there.key = [there.key], new_key()
    with pytest.raises(NotAuthenticated, match="nobody knows its key"):
        await signs_in(provider, there)
    assert there.asked.count("/keys") == 3


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        ({"email": "a@example.com", "email_verified": True}, "a@example.com"),
        ({"email": "a@example.com", "email_verified": "true"}, "a@example.com"),
        ({"email": "a@example.com", "email_verified": False}, None),
        ({"email": "a@example.com", "email_verified": 1.5}, None),
        ({"email": "a@example.com"}, None),
        ({"email": ["a@example.com"], "email_verified": True}, None),
        ({"email_verified": True}, None),
    ],
    ids=str,
)
async def test_an_address_counts_when_it_is_verified(
    provider: Provider, there: OpenIdProvider, claims: dict[str, Any], email: str | None
) -> None:
    there.person = evolve(there.person, claims=claims)
    found = await signs_in(provider, there)
    assert (found.email, found.username) == (email, email)


@pytest.mark.parametrize(
    ("groups", "is_admin"),
    [(["staff", "admins"], True), ("admins", True), (["staff"], False), ("admins and others", False), (None, False)],
    ids=str,
)
async def test_a_claim_may_say_who_administers(
    there: OpenIdProvider, clock: FakeClock, groups: object, is_admin: bool
) -> None:
    options = options_for(there, admins=Admins(claim="groups", value="admins"), username_claim="nickname")
    provider = Provider(options, clock)
    there.claims = {"groups": groups, "nickname": "ada"}
    found = await signs_in(provider, there)
    assert (found.is_admin, found.username) == (is_admin, "ada")
    await provider.close()


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize("path", [DISCOVERY, "/keys", "/token"])
@pytest.mark.parametrize(
    "answer",
    [
        answering(500, b"{}"),
        answering(404, b"{}"),
        answering(302, Location="/elsewhere"),
        answering(200, b"<html>"),
        answering(200, b"[]"),
        answering(200, b"{}"),
        answering(200, b'{"keys": [{"kty": "EC"}], "id_token": 1, "issuer": []}'),
        answering(200, b"[" * 100_000),
        answering(200, b" " * (MOST_BYTES + 1)),
        answering(200, b"\x1f\x8b", **{"Content-Encoding": "gzip"}),
    ],
    ids=["500", "404", "redirect", "page", "list", "empty", "wrong", "deep", "huge", "gzip"],
)
async def test_an_answer_that_is_none(provider: Provider, there: OpenIdProvider, path: str, answer: Answer) -> None:
    there.instead[path] = answer
    with pytest.raises(Unavailable, match="the sign-in provider 127"):
        await signs_in(provider, there)
    there.instead.clear()
    assert (await signs_in(provider, there)).subject == there.person.subject


@pytest.mark.parametrize("path", [DISCOVERY, "/token"])
async def test_an_answer_that_does_not_come(provider: Provider, there: OpenIdProvider, path: str) -> None:
    async def never(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    if path != DISCOVERY:
        await provider.discovery()
    provider._total_s = 0.05
    there.instead[path] = never
    with pytest.raises(Unavailable, match="in time"):
        await signs_in(provider, there)


async def test_one_that_is_not_there(there: OpenIdProvider, clock: FakeClock) -> None:
    provider = Provider(options_for(there, issuer="http://127.0.0.1:9"), clock)
    with pytest.raises(Unavailable, match="no connection"):
        await provider.discovery()
    await provider.close()


async def test_who_waits_with_others_fails_with_them(provider: Provider, there: OpenIdProvider) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def late(_: web.Request) -> web.Response:
        loop.call_soon_threadsafe(asked.set)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go_on.wait(), loop))
        return web.Response(status=500)

    there.instead[DISCOVERY] = late
    waiting = [asyncio.create_task(provider.discovery()) for _ in range(5)]
    await asked.wait()
    waiting[0].cancel()
    go_on.set()
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in ends] == [asyncio.CancelledError, *[Unavailable] * 4]
    assert there.asked.count(DISCOVERY) == 1


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"issuer": "https://evil.example"}, "another one"),
        ({"issuer": None}, "something else"),
        ({"token_endpoint": "http://example.com/token"}, "without TLS"),
        ({"jwks_uri": "file:///etc/passwd"}, "without TLS"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "without TLS"),
        ({"jwks_uri": "https://[::1"}, "without TLS"),
        ({"token_endpoint": None}, "something else"),
    ],
    ids=str,
)
async def test_one_that_says_wrong_things_of_itself(
    provider: Provider, there: OpenIdProvider, about: dict[str, Any], why: str
) -> None:
    there.about = about
    with pytest.raises(Unavailable, match=why):
        await provider.discovery()


async def test_a_code_that_is_not_ours(provider: Provider, there: OpenIdProvider) -> None:
    for code, verifier in (("none", "v" * 48), ("", "v" * 48)):
        with pytest.raises(NotAuthenticated, match="code"):
            await provider.identity(code, redirect_url=BACK, verifier=verifier, nonce="n")
    about = await provider.discovery()
    url = oauth.authorization_url(
        about.authorization_endpoint, provider.options, redirect_url=BACK, state="s", nonce="n", verifier="v" * 48
    )
    for changes in ({"verifier": "w" * 48}, {"redirect_url": BACK + "/"}):
        back = await asyncio.to_thread(back_from, url)
        sent = {"redirect_url": BACK, "verifier": "v" * 48, "nonce": "n", **changes}
        with pytest.raises(NotAuthenticated, match="code"):
            await provider.identity(back["code"], **sent)


async def test_one_that_does_not_know_us(there: OpenIdProvider, clock: FakeClock) -> None:
    provider = Provider(options_for(there, client_secret="another"), clock)  # noqa: S106
    with pytest.raises(Unavailable, match="invalid_client"):
        await signs_in(provider, there)
    assert there.refused == ["invalid_client"]
    await provider.close()


def test_the_stand_in_is_strict(there: OpenIdProvider) -> None:
    assert requests.get(f"{there.url}/authorize?response_type=token", timeout=60).status_code == 400
