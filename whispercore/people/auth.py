"""From credentials to a caller."""

from __future__ import annotations

from typing import Protocol

from attrs import field, frozen

from whispercore.errors import NotAuthenticated
from whispercore.people.caller import Caller, RequestInfo
from whispercore.people.client_secrets import ClientSecrets, looks_like_client_secret
from whispercore.people.keys import Keys
from whispercore.people.known_keys import ELSEWHERE
from whispercore.people.recognition import Recognition
from whispercore.people.seen import Seen
from whispercore.people.tokens import Tokens, looks_like_token


@frozen(kw_only=True)
class Credentials:
    """What a request brings to show who sends it."""

    bearer: str | None = field(default=None, repr=False)
    """What follows ``Bearer`` in ``Authorization``: a token or an API key."""
    api_key: str | None = field(default=None, repr=False)
    """``X-API-Key``. It counts when there are several."""
    cookie: str | None = field(default=None, repr=False)
    """That of a browser's session. It counts when nothing else is there."""
    request: RequestInfo = ELSEWHERE
    """The request that brings them: a key may be good for some addresses only."""
    for_live: bool = False
    """Whether they are for live transcription: client secrets are good for nothing else."""
    again: bool = False
    """They were good a while ago, and the request still goes on. It is looked whether they still are: that is no
    further use of them, and no attempt to get in."""


class Auth(Protocol):
    """Says who is calling. An application that has its own people brings its own."""

    async def authenticate(self, credentials: Credentials) -> Caller:
        """The caller.

        Raises:
            NotAuthenticated: There are no credentials, or none that are good.
            NotPermitted: They are good, but not from where they come.
        """
        ...


class OurAuth:
    """By our own users, tokens, cookies and API keys.

    Args:
        keys: The API keys of users.
        tokens: Their tokens.
        recognition: Knows whose cookies there are.
        seen: Told which sessions are used.
        client_secrets: Those that they have made.
    """

    def __init__(
        self, keys: Keys, tokens: Tokens, recognition: Recognition, seen: Seen, client_secrets: ClientSecrets
    ) -> None:
        self._keys = keys
        self._tokens = tokens
        self._recognition = recognition
        self._seen = seen
        self._client_secrets = client_secrets

    async def authenticate(self, credentials: Credentials) -> Caller:
        """The caller."""
        if credentials.api_key:
            return await self._by_key(credentials.api_key, credentials)
        if credentials.bearer:
            if looks_like_client_secret(credentials.bearer):
                caller = await self._by_client_secret(credentials.bearer, credentials)
            elif looks_like_token(credentials.bearer):
                caller = await self._tokens.authenticate(credentials.bearer)
            else:
                return await self._by_key(credentials.bearer, credentials)
        elif credentials.cookie:
            caller = await self._recognition.by_cookie(credentials.cookie)
        else:
            raise NotAuthenticated
        if caller.session_id and not credentials.again:
            self._seen.note(caller.session_id)
        return caller

    async def _by_client_secret(self, secret: str, credentials: Credentials) -> Caller:
        if not credentials.for_live:
            raise NotAuthenticated("a client secret is good for live transcription only")
        return await self._client_secrets.authenticate(secret, credentials.request, again=credentials.again)

    async def _by_key(self, key: str, credentials: Credentials) -> Caller:
        return await self._keys.authenticate(key, credentials.request, again=credentials.again)
