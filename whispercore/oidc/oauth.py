"""What OAuth 2 and PKCE say of requests (RFC 6749, 7636): functions of authlib, with types.

authlib takes a tenth of a second to import, so only those import this who sign somebody in.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote_plus

from authlib.common.security import generate_token
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from whispercore.oidc.messages import TokenRequest
from whispercore.oidc.options import OidcOptions

_CHARACTERS: Final = 48
"""Of 62 kinds: 285 bits; a verifier of PKCE needs 43 to 128."""
_FORM: Final = "application/x-www-form-urlencoded"


def new_secret() -> str:
    """What nobody can guess: a state, a nonce, a verifier."""
    return str(generate_token(_CHARACTERS))


def authorization_url(
    endpoint: str, options: OidcOptions, *, redirect_url: str, state: str, nonce: str, verifier: str
) -> str:
    """Where somebody goes to sign in."""
    url: str = prepare_grant_uri(
        endpoint,
        client_id=options.client_id,
        response_type="code",
        redirect_uri=redirect_url,
        scope=list(options.scopes),
        state=state,
        nonce=nonce,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
    )
    return url


def token_request(
    endpoint: str, options: OidcOptions, methods: list[str], *, code: str, redirect_url: str, verifier: str
) -> TokenRequest:
    """What a code is exchanged with.

    Args:
        endpoint: Where it is posted to.
        options: Who asks.
        methods: How the provider lets clients say who they are.
        code: The code.
        redirect_url: The one that it was given to.
        verifier: Of whoever asked for the code.
    """
    form = prepare_token_request("authorization_code", code=code, redirect_uri=redirect_url, code_verifier=verifier)
    secret, client_id, method = options.client_secret, options.client_id, "none"
    if secret is not None and ("client_secret_basic" in methods or "client_secret_post" not in methods):
        # RFC 6749, 2.3.1: both are encoded as in a form before they are put together
        secret, client_id, method = quote_plus(secret), quote_plus(client_id), "client_secret_basic"
    elif secret is not None:
        method = "client_secret_post"
    auth = ClientAuth(client_id, secret, method)
    _, headers, body = auth.prepare("POST", endpoint, {"Content-Type": _FORM, "Accept": "application/json"}, form)
    return TokenRequest(headers=headers, body=body)
