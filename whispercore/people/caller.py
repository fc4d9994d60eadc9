"""Who is calling. Everything that a request can reach takes one of these."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from whispercore.people.key_limits import NO_LIMITS, KeyLimits

Via = Literal["nobody", "token", "key", "session"]
"""How a caller was recognised."""


@frozen(kw_only=True)
class RequestInfo:
    """Where a request came from, and by what name it is found again."""

    address: str = ""
    """The client's IP address; empty for what does not come over a network."""
    user_agent: str = ""
    request_id: str = ""
    is_secure: bool = False
    """Whether it came over TLS."""
    host: str = ""
    """What the client says that it was sent to, and port if there is one: whatever it likes to say."""
    mounted_at: str = ""
    """The path below which another application mounted this server; empty at the root."""


@frozen(kw_only=True)
class Caller:
    """A caller as recognised by his credentials, or nobody."""

    user_id: str
    username: str
    scopes: frozenset[str]
    """What he may do; see ``whispercore.people.scopes``."""
    is_admin: bool = False
    """An administrator may do all, and sees what is everybody's."""
    via: Via = "nobody"
    session_id: str = ""
    """Of a caller who came with a token or a session."""
    key_id: str = ""
    """Of a caller who came with an API key."""
    key_limits: KeyLimits = NO_LIMITS
    """Of this key."""
    laid_down: str = field(default="", repr=False)
    """How he is to transcribe, of a caller who came with a client secret; see ``whispercore.people.client_secrets``."""
    request: RequestInfo = RequestInfo()
    """The request that he made."""

    @classmethod
    def nobody(cls, request: RequestInfo | None = None) -> Caller:
        """The caller of an endpoint that asks for no credentials.

        Args:
            request: The one that he made, if that is known.
        """
        if request is None:
            return _NOBODY
        return cls(user_id="", username="", scopes=frozenset(), request=request)

    def may(self, scope: str) -> bool:
        """Whether he has this scope. Nobody is asked for the empty one."""
        return not scope or self.is_admin or scope in self.scopes


_NOBODY = Caller(user_id="", username="", scopes=frozenset())
