"""Access tokens: what a program has for an hour after logging in. Each belongs to a session, and ends with it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from attrs import field, frozen
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from whispercore.clock import Clock, SystemClock
from whispercore.errors import NotAuthenticated
from whispercore.ids import Ids, Uuid7Ids
from whispercore.people.caller import Caller
from whispercore.people.digest import digest
from whispercore.people.recognition import Recognition
from whispercore.people.signing_keys import SigningKey, SigningKeys
from whispercore.people.users import User

LASTS: Final = timedelta(hours=1)
ALGORITHM: Final = "HS256"
_LEEWAY_S: Final = 5
"""Between the clocks of two servers."""
_LONGEST: Final = 4096
_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", re.ASCII)
_REFUSAL: Final = "the token is not valid"


@frozen(kw_only=True)
class AccessToken:
    """A token that was just made."""

    token: str = field(repr=False)
    expires_in: int
    """Seconds."""


@frozen
class _Claims:
    user_id: str
    session_id: str
    expires_s: int


class Tokens:
    """Makes and reads tokens: JSON Web Tokens, signed by HMAC with SHA-256.

    Args:
        signing_keys: What they are signed with.
        recognition: Knows whose sessions they belong to.
        clock: By whose time they expire.
        ids: Names for tokens.
    """

    def __init__(
        self,
        signing_keys: SigningKeys,
        recognition: Recognition,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        self._signing_keys = signing_keys
        self._recognition = recognition
        self._clock = clock if clock is not None else SystemClock()
        self._ids = ids if ids is not None else Uuid7Ids(self._clock)
        self._registry = JWTClaimsRegistry(
            now=lambda: int(self._clock.now().timestamp()),
            leeway=_LEEWAY_S,
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            jti={"essential": True},
            sid={"essential": True},
        )

    async def make(self, user: User, session_id: str) -> AccessToken:
        """A token for a session."""
        signing = await self._signing_keys.current()
        issued_s = int(self._clock.now().timestamp())
        claims = {
            "sub": user.id,
            "roles": list(user.roles),
            "iat": issued_s,
            "exp": issued_s + int(LASTS.total_seconds()),
            "jti": self._ids.new(),
            "sid": session_id,
        }
        token = jwt.encode({"alg": ALGORITHM, "kid": signing.id}, claims, signing.key, algorithms=[ALGORITHM])
        return AccessToken(token=token, expires_in=int(LASTS.total_seconds()))

    async def authenticate(self, token: str) -> Caller:
        """Who comes with this token. What he may is what his account says now, whatever the token says.

        Raises:
            NotAuthenticated: It is not one of ours, or not good any more.
        """
        if not looks_like_token(token):
            raise NotAuthenticated(_REFUSAL)
        credential = digest(token)
        known = self._recognition.remembered(credential)
        if known is not None:
            return known
        version = self._recognition.version
        claims = await self._claims(token)
        return await self._recognition.by_session(
            credential,
            session_id=claims.session_id,
            user_id=claims.user_id,
            version=version,
            lasts_s=claims.expires_s + _LEEWAY_S - self._clock.now().timestamp(),
        )

    async def rotate(self, caller: Caller, *, believe_old: bool = True) -> SigningKey:
        """Sign with a new key from now on.

        Args:
            caller: Who wants it.
            believe_old: Whether tokens that were signed before stay good until they expire.
        """
        made = await self._signing_keys.rotate(caller, believe_old=believe_old)
        if not believe_old:
            self._recognition.forget_all()
        return made

    async def _claims(self, token: str) -> _Claims:
        try:
            key_id = jws.extract_compact(token.encode()).headers().get("kid")
            signing = await self._signing_keys.find(key_id) if isinstance(key_id, str) else None
            if signing is None:
                raise NotAuthenticated(_REFUSAL)
            claims = jwt.decode(token, signing.key, algorithms=[ALGORITHM]).claims
            self._registry.validate(claims)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            expired = getattr(error, "error", "") == "expired_token"
            raise NotAuthenticated("the token has expired" if expired else _REFUSAL) from None
        user_id, session_id, expires_s = claims["sub"], claims["sid"], claims["exp"]
        if not isinstance(user_id, str) or not isinstance(session_id, str) or not isinstance(expires_s, int):
            raise NotAuthenticated(_REFUSAL)
        return _Claims(user_id, session_id, expires_s)


def looks_like_token(text: str) -> bool:
    """Whether it has the form of a token: three words with dots between them."""
    return len(text) <= _LONGEST and _FORM.fullmatch(text) is not None
