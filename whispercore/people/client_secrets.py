"""Client secrets: what a page or an app comes with in place of its maker's key, to live transcription and nothing else.

Nothing is kept of them. Each is signed, and says until when a session can be begun with it, what was laid down for that
session, and with which session or key its maker came: where that is not good any more, the secret is not either.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from attrs import evolve, field, frozen
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from joserfc.jwt import JWTClaimsRegistry

from whispercore.clock import Clock
from whispercore.errors import Conflict, InvalidRequest, NotAuthenticated
from whispercore.ids import Ids
from whispercore.people.caller import Caller, RequestInfo
from whispercore.people.digest import digest
from whispercore.people.keys import Keys
from whispercore.people.recognition import Recognition
from whispercore.people.remembered import LASTS_S
from whispercore.people.signing_keys import SigningKey, SigningKeys

ALLOWS: Final = "jobs:create"
"""The only scope that there is in one, if its maker has it."""
_PREFIX: Final = "ek_"
_PURPOSE: Final = b"whispercore client secret"
_ALGORITHM: Final = "HS256"
_LONGEST: Final = 7_500
"""It travels in a header, of which servers take 8 kB."""
_REFUSAL: Final = "the client secret is not valid"


@frozen(kw_only=True)
class ClientSecret:
    """A secret that was just made."""

    value: str = field(repr=False)
    expires_at: datetime


@frozen
class _Claims:
    user_id: str
    session_id: str
    key_id: str
    key_stamp: str
    laid_down: str


class ClientSecrets:
    """Makes and reads them: JSON Web Tokens, signed by HMAC with SHA-256 and a key that signs nothing else.

    Args:
        signing_keys: What that key is derived from.
        recognition: Knows whose sessions there are.
        keys: The API keys of users.
        clock: By whose time they expire.
        ids: Names for them.
    """

    def __init__(
        self, signing_keys: SigningKeys, recognition: Recognition, keys: Keys, *, clock: Clock, ids: Ids
    ) -> None:
        self._signing_keys = signing_keys
        self._recognition = recognition
        self._keys = keys
        self._clock = clock
        self._ids = ids
        self._registry = JWTClaimsRegistry(
            now=lambda: int(self._clock.now().timestamp()), sub={"essential": True}, exp={"essential": True}
        )

    async def make(self, caller: Caller, laid_down: str, lasts: timedelta) -> ClientSecret:
        """A secret with as much of the caller's rights as live transcription needs.

        Args:
            caller: Its maker.
            laid_down: What is given back with ``Caller.laid_down``. Whoever has the secret can read it.
            lasts: How long a session can be begun with it.

        Raises:
            Conflict: The caller came neither with a session nor with a key of ours.
            InvalidRequest: What is laid down is too long.
        """
        signing, now = await self._signing_keys.current(), self._clock.now()
        maker: dict[str, str] = {"sid": caller.session_id}
        if caller.key_id:
            maker = {"key": caller.key_id, "stamp": await self._keys.stamp(caller.key_id)}
        elif not caller.session_id:
            raise Conflict("client secrets are made with a token, a session or an API key of this server")
        expires_s = int((now + lasts).timestamp())
        claims = {"sub": caller.user_id, "exp": expires_s, "jti": self._ids.new(), "for": laid_down, **maker}
        header = {"alg": _ALGORITHM, "kid": signing.id}
        value = _PREFIX + jwt.encode(header, claims, _key(signing), algorithms=[_ALGORITHM])
        if len(value) > _LONGEST:
            raise InvalidRequest.one("session", "it is too long to be part of a secret; give it by session.update")
        return ClientSecret(value=value, expires_at=datetime.fromtimestamp(expires_s, now.tzinfo))

    async def authenticate(self, secret: str, request: RequestInfo, *, again: bool = False) -> Caller:
        """Who comes with this secret: its maker, with no rights but to transcribe, and those only if he has them.

        Args:
            secret: Its text.
            request: What it comes with.
            again: Whether this request was let in by it before, and still goes on: then it may have expired.

        Raises:
            NotAuthenticated: It is not one of ours, or what its maker came with is not good any more.
            NotPermitted: Its maker's key is not for the address that the request comes from.
        """
        claims = await self._claims(secret, again=again)
        if claims.key_id:
            maker = await self._keys.authenticate_by_id(claims.key_id, claims.key_stamp, request, again=again)
        else:
            credential = digest(secret)
            maker = self._recognition.remembered(credential) or await self._recognition.by_session(
                credential,
                session_id=claims.session_id,
                user_id=claims.user_id,
                version=self._recognition.version,
                lasts_s=LASTS_S,
            )
        scopes = frozenset({ALLOWS}) if maker.may(ALLOWS) else frozenset[str]()
        return evolve(maker, scopes=scopes, is_admin=False, laid_down=claims.laid_down)

    async def _claims(self, secret: str, *, again: bool) -> _Claims:
        try:
            token = secret.removeprefix(_PREFIX)
            key_id = jws.extract_compact(token.encode()).headers().get("kid")
            signing = await self._signing_keys.find(key_id) if isinstance(key_id, str) else None
            if signing is None or len(secret) > _LONGEST:
                raise NotAuthenticated(_REFUSAL)
            claims: dict[str, Any] = jwt.decode(token, _key(signing), algorithms=[_ALGORITHM]).claims
            if not again:
                self._registry.validate(claims)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            expired = getattr(error, "error", "") == "expired_token"
            raise NotAuthenticated("the client secret has expired" if expired else _REFUSAL) from None
        return _Claims(
            user_id=claims["sub"],
            session_id=claims.get("sid", ""),
            key_id=claims.get("key", ""),
            key_stamp=claims.get("stamp", ""),
            laid_down=claims["for"],
        )


def looks_like_client_secret(text: str) -> bool:
    """Whether it has the form of one; no token and no key of ours begins so."""
    return text.startswith(_PREFIX)


def _key(signing: SigningKey) -> OctKey:
    return OctKey.import_key(signing.derived(_PURPOSE))
