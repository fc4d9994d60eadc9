"""What a provider says of itself, what it is asked and what it answers."""

from __future__ import annotations

from attrs import field, frozen


@frozen(kw_only=True)
class Discovery:
    """What a provider says of itself (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: list[str] = field(factory=lambda: ["client_secret_basic"])
    authorization_response_iss_parameter_supported: bool = False
    """Whether it says who it is when it sends somebody back (RFC 9207)."""


@frozen(kw_only=True)
class TokenRequest:
    """What is posted for a code."""

    headers: dict[str, str] = field(repr=False)
    body: str = field(repr=False)


@frozen(kw_only=True)
class TokenReply:
    """What a code is good for. Of the tokens only one is for us; the others would let us act as him elsewhere."""

    id_token: str = field(repr=False)


@frozen(kw_only=True)
class TokenRefusal:
    """Why there is no token (RFC 6749, 5.2)."""

    error: str
