"""The provider: what it says of itself, its keys, and what it gives for a code. All over HTTP, within bounds."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

import aiohttp
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from yarl import URL

from whispercore.clock import Clock
from whispercore.contract.wire import loads, patiently
from whispercore.errors import NotAuthenticated, Unavailable
from whispercore.oidc import id_token
from whispercore.oidc.cached import Cached
from whispercore.oidc.id_token import Identity, UnknownKey
from whispercore.oidc.messages import Discovery, TokenRefusal, TokenReply, TokenRequest
from whispercore.oidc.options import OidcOptions, is_guarded, is_here
from whispercore.outgoing import calls

READ_S: Final = 10.0
"""How long nothing may come."""
TOTAL_S: Final = 15.0
"""How long one request may take."""
MOST_BYTES: Final = 1 << 19
"""Of an answer: half a megabyte is many keys."""
LASTS_S: Final = 3600.0
"""How long what it says of itself is believed, and its keys; a key that is not among them is looked for at once."""
_PIECE_BYTES: Final = 1 << 16
_SHOWN: Final = 100
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Provider:
    """One provider. Its address is the operator's own setting, so it may be an internal one; it needs TLS all the same.

    Args:
        options: Which one.
        clock: By whose time.
        read_s: Seconds in which something has to come.
        total_s: Seconds that one request may take.
    """

    def __init__(self, options: OidcOptions, clock: Clock, *, read_s: float = READ_S, total_s: float = TOTAL_S) -> None:
        self.options = options
        self._clock = clock
        self._read_s = read_s
        self._total_s = total_s
        self._host = urlsplit(options.issuer).netloc
        self._discovery = Cached(self._discovered, clock, LASTS_S)
        self._keys = Cached(self._fetched_keys, clock, LASTS_S)

    async def close(self) -> None:
        """End what is under way."""
        await self._discovery.close()
        await self._keys.close()

    async def discovery(self) -> Discovery:
        """What it says of itself.

        Raises:
            Unavailable: It says nothing, or nothing that can be used.
        """
        return await self._discovery.get()

    async def identity(self, code: str, *, redirect_url: str, verifier: str, nonce: str) -> Identity:
        """Who somebody is that came back with a code.

        Args:
            code: As he brings it.
            redirect_url: Where he was sent back to.
            verifier: Of the sign-in.
            nonce: Of the sign-in.

        Raises:
            NotAuthenticated: The code is not good, or the provider's token.
            Unavailable: The provider does not answer, or not as one.
        """
        token = await self._redeemed(code, redirect_url, verifier)
        keys = await self._keys.get()
        try:
            return self._read(token, keys, nonce)
        except UnknownKey:
            keys = await self._keys.get(but=keys)  # it has changed its keys
        try:
            return self._read(token, keys, nonce)
        except UnknownKey:
            raise NotAuthenticated("the ID token of the provider is refused: nobody knows its key") from None

    def _read(self, token: str, keys: KeySet, nonce: str) -> Identity:
        return id_token.read(token, keys, self.options, nonce=nonce, now=self._clock.now())

    # ------------------------------------------------------------ what it answers

    async def _discovered(self) -> Discovery:
        issuer = self.options.issuer
        found = self._as(await self._asked(f"{issuer.rstrip('/')}/.well-known/openid-configuration"), Discovery)
        if found.issuer != issuer:
            _log.error("the sign-in provider %s calls itself %s", issuer, shown(found.issuer))
            raise self._failed("is another one than it should be")
        here = is_here(urlsplit(issuer).hostname or "")
        for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
            if not is_guarded(url) or (not here and urlsplit(url).scheme != "https"):
                raise self._failed("names addresses without TLS")
        return found

    async def _fetched_keys(self) -> KeySet:
        body = await self._asked((await self.discovery()).jwks_uri)
        try:
            return KeySet.import_key_set(cast("Any", loads(body)))
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._nonsense() from error

    async def _redeemed(self, code: str, redirect_url: str, verifier: str) -> str:
        from whispercore.oidc import oauth  # noqa: PLC0415 - see there

        about = await self.discovery()
        request = oauth.token_request(
            about.token_endpoint,
            self.options,
            about.token_endpoint_auth_methods_supported,
            code=code,
            redirect_url=redirect_url,
            verifier=verifier,
        )
        return self._as(await self._asked(about.token_endpoint, request), TokenReply).id_token

    async def _asked(self, url: str, request: TokenRequest | None = None) -> bytes:
        """What it answers with success."""
        method, headers, data = ("GET", None, None) if request is None else ("POST", request.headers, request.body)
        try:
            async with (
                calls.session(allow_internal=True, read_s=self._read_s, total_s=self._total_s) as session,
                session.request(method, URL(url), headers=headers, data=data, allow_redirects=False) as answer,
            ):
                body = await self._body(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._failed(f"cannot be asked: {calls.reason(error)}") from error
        if answer.status == HTTPStatus.OK:
            return body
        if request is not None and HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self._refusal(answer.status, body)
        raise self._failed(f"answered with status {answer.status}")

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for piece in answer.content.iter_chunked(_PIECE_BYTES):
            body += piece
            if len(body) > MOST_BYTES:
                raise self._failed(f"answered with more than {MOST_BYTES:,} bytes")
        return bytes(body)

    def _refusal(self, status: int, body: bytes) -> NotAuthenticated | Unavailable:
        error = shown(self._as(body, TokenRefusal).error)
        if error == "invalid_grant":
            return NotAuthenticated("the sign-in provider does not accept this code")
        return self._failed(f"refuses this server: {error} (status {status})")

    def _as(self, body: bytes, kind: type[_T]) -> _T:
        try:
            return patiently(loads(body), kind)
        except ValueError as error:
            raise self._nonsense() from error

    def _nonsense(self) -> Unavailable:
        return self._failed("answered with something else than expected")

    def _failed(self, how: str) -> Unavailable:
        """The error for whoever wants to sign in; whoever runs this server finds it in the log."""
        _log.warning("the sign-in provider %s %s", self._host, how)
        return Unavailable(f"the sign-in provider {self._host} {how}")


def shown(text: str) -> str:
    """As much of somebody else's word as may be told on."""
    return "".join(one for one in text[:_SHOWN] if one.isascii() and one.isprintable())
