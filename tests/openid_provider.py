"""An OpenID Connect provider on a real port, strict with clients. It can be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

import attrs
import requests
from aiohttp import web
from attrs import define, field
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from yarl import URL

from tests.serving import served

CLIENT_ID = "whispercore"
CLIENT_SECRET = "a secret: with 100% of +special& characters"  # noqa: S105
_NUMBERS = itertools.count(1)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def new_key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": f"key-{next(_NUMBERS)}", "use": "sig"})


@define(eq=False)
class Person:
    """Somebody who has an account there."""

    subject: str = field(factory=lambda: f"subject-{next(_NUMBERS)}")
    claims: dict[str, Any] = field(factory=dict)

    @classmethod
    def mailed(cls, email: str, *, verified: object = True, **claims: Any) -> Person:
        return cls(claims={"email": email, "email_verified": verified, **claims})


@define(eq=False)
class OpenIdProvider:
    """What it knows, and how it misbehaves."""

    url: str = ""
    person: Person = field(factory=lambda: Person.mailed(f"person{next(_NUMBERS)}@example.com"))
    """Whose browser it is that comes next; he is in there already, and agrees."""
    redirect_urls: set[str] = field(factory=set)
    """Those that were registered; each is, when there are none."""
    key: ECKey | RSAKey = field(factory=new_key)
    published: list[ECKey | RSAKey] | None = None
    """Its public keys, if they are not that of ``key``."""
    claims: dict[str, Any] = field(factory=dict)
    """In ID tokens in place of the right ones; None leaves one out."""
    about: dict[str, Any] = field(factory=dict)
    """The same in what it says of itself."""
    sign: Callable[[dict[str, Any]], str] | None = None
    """Makes ID tokens in place of itself."""
    instead: dict[str, Answer] = field(factory=dict)
    """Answers at paths in place of its own."""
    asked: list[str] = field(factory=list)
    """Paths, in order."""
    codes: dict[str, dict[str, str]] = field(factory=dict)
    """What was asked for by which code; one that was used is gone."""
    refused: list[str] = field(factory=list)
    now_s: Callable[[], float] = time.time

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Of a server whose people sign in here."""
        usual = {"oidc_issuer": self.url, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET}
        return {**usual, **changes}

    def begin_again(self) -> None:
        """Behave, and have somebody new come next."""
        fresh = OpenIdProvider(url=self.url, key=self.key, redirect_urls=self.redirect_urls)
        for name in attrs.fields_dict(OpenIdProvider):
            setattr(self, name, getattr(fresh, name))

    # ------------------------------------------------------------ answers

    async def discovery(self, _: web.Request) -> web.Response:
        told = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?tenant=one",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        }
        return web.json_response(_without_none({**told, **self.about}))

    async def keys(self, _: web.Request) -> web.Response:
        published = [self.key] if self.published is None else self.published
        return web.json_response(KeySet(list(published)).as_dict(private=False))

    async def authorize(self, http: web.Request) -> web.Response:
        asked = dict(http.query)
        wrong = (
            "tenant" not in asked
            or asked.get("response_type") != "code"
            or asked.get("client_id") != CLIENT_ID
            or asked.get("code_challenge_method") != "S256"
            or not asked.get("code_challenge")
            or not asked.get("nonce")
            or "openid" not in asked.get("scope", "").split()
            or (self.redirect_urls and asked.get("redirect_uri") not in self.redirect_urls)
        )
        if wrong:
            return web.Response(status=400, text="this client asks for something wrong")
        code = f"code-{next(_NUMBERS)}--'"
        self.codes[code] = {**asked, "sub": self.person.subject}
        where = URL(asked["redirect_uri"]).update_query(code=code, state=asked["state"], session_state="opaque")
        return web.Response(status=302, headers={"Location": str(where)})

    async def token(self, http: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await http.post()).items()}
        if not _is_client(http, form):
            return self._refusal("invalid_client", 401)
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or form.get("grant_type") != "authorization_code":
            return self._refusal("invalid_grant")
        if form.get("redirect_uri") != asked["redirect_uri"] or not _is_verifier(form.get("code_verifier", ""), asked):
            return self._refusal("invalid_grant")
        now = int(self.now_s())
        claims = {
            "iss": self.url,
            "sub": asked["sub"],
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "nonce": asked["nonce"],
            **self.person.claims,
            **self.claims,
        }
        token = (self.sign or self.signed)(_without_none(claims))
        body = {"access_token": "for-others", "token_type": "Bearer", "expires_in": 300, "id_token": token}
        return web.json_response(body)

    def signed(self, claims: dict[str, Any]) -> str:
        algorithm = "ES256" if isinstance(self.key, ECKey) else "RS256"
        return jwt.encode({"alg": algorithm, "kid": self.key.kid}, claims, self.key)

    def _refusal(self, error: str, status: int = 400) -> web.Response:
        self.refused.append(error)
        return web.json_response({"error": error}, status=status)

    async def answer(self, http: web.Request) -> web.StreamResponse:
        self.asked.append(http.path)
        usual: Mapping[str, Answer] = {
            "/.well-known/openid-configuration": self.discovery,
            "/keys": self.keys,
            "/authorize": self.authorize,
            "/token": self.token,
        }
        return await (self.instead.get(http.path) or usual[http.path])(http)


def back_from(authorization_url: str) -> dict[str, str]:
    """What a browser comes back with that went there."""
    answer = requests.get(authorization_url, allow_redirects=False, timeout=60)
    assert answer.status_code == 302, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def unsigned(claims: dict[str, Any]) -> str:
    """Signed by nobody."""
    return f"{_base64(_json({'alg': 'none'}))}.{_base64(_json(claims))}."


def signed_with_public_key(key: ECKey | RSAKey) -> Callable[[dict[str, Any]], str]:
    """By HMAC, with what everybody knows."""

    def sign(claims: dict[str, Any]) -> str:
        signed = f"{_base64(_json({'alg': 'HS256', 'kid': key.kid}))}.{_base64(_json(claims))}"
        return f"{signed}.{_base64(hmac.digest(key.as_pem(private=False), signed.encode(), 'sha256'))}"

    return sign


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _json(claims: dict[str, Any]) -> bytes:
    return json.dumps(claims).encode()


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _is_client(http: web.Request, form: dict[str, str]) -> bool:
    given = http.headers.get("Authorization", "")
    if not given.startswith("Basic "):
        return form.get("client_id") == CLIENT_ID and form.get("client_secret") == CLIENT_SECRET
    name, _, secret = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")
    return (unquote_plus(name), unquote_plus(secret)) == (CLIENT_ID, CLIENT_SECRET)


def _is_verifier(verifier: str, asked: dict[str, str]) -> bool:
    return len(verifier) >= 43 and _base64(hashlib.sha256(verifier.encode()).digest()) == asked["code_challenge"]


@contextmanager
def openid_provider() -> Iterator[OpenIdProvider]:
    """It, until the block ends."""
    provider = OpenIdProvider()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", provider.answer)
    with served(app) as provider.url:
        yield provider
