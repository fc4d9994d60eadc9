"""ID tokens: whose word it is that somebody is who he is (OpenID Connect Core 1.0, 3.1.3.7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from whispercore.errors import NotAuthenticated
from whispercore.oidc.options import OidcOptions

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Those by which a provider can sign, and nobody who only knows its public keys."""
_LEEWAY_S: Final = 60
"""Between the clock of the provider and ours."""
_LONGEST_SUBJECT: Final = 255
_LONGEST: Final = 1024


class UnknownKey(Exception):
    """It is signed with a key that is not among those that are known."""


@frozen(kw_only=True)
class Identity:
    """Who somebody is, by the word of a provider."""

    issuer: str
    subject: str
    """Never given to another person there."""
    username: str | None
    """What he may be called here; None when the provider does not say, or does not vouch for it."""
    email: str | None
    """Only one that the provider has verified."""
    is_admin: bool | None
    """None when that is not the provider's to say."""


def read(token: str, keys: KeySet, options: OidcOptions, *, nonce: str, now: datetime) -> Identity:
    """Who it is that a token names.

    Args:
        token: The ID token.
        keys: The provider's.
        options: Who the provider is, and who we are.
        nonce: That of the sign-in.
        now: The time.

    Raises:
        NotAuthenticated: It is not signed by the provider, not for us, not for this sign-in, or not good any more.
        UnknownKey: The key that it names is not among these.
    """
    try:
        claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": options.issuer},
            sub={"essential": True},
            aud={"essential": True, "value": options.client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(claims)
    except InvalidKeyIdError:
        raise UnknownKey from None
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise NotAuthenticated(f"the ID token of the provider is refused: {_words(error)}") from None
    _check_presenter(claims, options.client_id)
    return _identity(claims, options)


def _check_presenter(claims: Mapping[str, Any], client_id: str) -> None:
    """Of several whom it is for, it has to say that we are the one who asked."""
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client_id) != client_id:
        raise NotAuthenticated("the ID token of the provider is refused: it was made for another client")


def _identity(claims: Mapping[str, Any], options: OidcOptions) -> Identity:
    subject = claims["sub"]
    if not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise NotAuthenticated("the ID token of the provider is refused: its subject is too long, or no text")
    email = _text(claims.get("email")) if claims.get("email_verified") in (True, "true") else None
    return Identity(
        issuer=options.issuer,
        subject=subject,
        username=email if options.username_claim == "email" else _text(claims.get(options.username_claim)),
        email=email,
        is_admin=None if options.admins is None else options.admins.value in _several(claims.get(options.admins.claim)),
    )


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) and len(value) <= _LONGEST else None


def _several(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _words(error: Exception) -> str:
    """Why, with nothing of the token itself in it."""
    if not isinstance(error, JoseError):
        return "it cannot be read"
    claim = getattr(error, "claim", None)
    return f"{error.error.replace('_', ' ')}{'' if claim is None else f' ({claim})'}"
