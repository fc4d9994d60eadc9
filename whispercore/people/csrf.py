"""Tokens that show that a request comes from a page of ours, and not from one that merely has the browser's cookie.

Nothing is kept of them: each is signed, says until when it is good, and is bound to the cookie's session if there is
one. The key is derived from the newest signing key, so all servers on one database believe each other's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from typing import Final

from attrs import field, frozen

from whispercore.clock import Clock, SystemClock
from whispercore.errors import CsrfTokenInvalid, CsrfTokenMalformed
from whispercore.people.signing_keys import SigningKey, SigningKeys

LASTS_S: Final = 3600
_PURPOSE: Final = b"whispercore csrf token"
_FORM: Final = re.compile(r"(\d{1,12})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{43})", re.ASCII)


@frozen(kw_only=True)
class CsrfToken:
    """A token for the header ``X-CSRF-Token``."""

    token: str = field(repr=False)
    expires_in: int
    """Seconds."""


class CsrfTokens:
    """Makes and checks them.

    Args:
        signing_keys: What they are signed with.
        clock: By whose time they expire.
    """

    def __init__(self, signing_keys: SigningKeys, *, clock: Clock | None = None) -> None:
        self._signing_keys = signing_keys
        self._clock = clock if clock is not None else SystemClock()

    async def make(self, session_id: str = "") -> CsrfToken:
        """A token.

        Args:
            session_id: Of the cookie that it belongs to; empty for who has none.
        """
        signing = await self._signing_keys.current()
        nonce = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        said = f"{int(self._clock.now().timestamp()) + LASTS_S}.{nonce}.{signing.id}"
        return CsrfToken(token=f"{said}.{_signature(signing, said, session_id)}", expires_in=LASTS_S)

    async def check(self, token: str, session_ids: Iterable[str]) -> None:
        """Refuse a token that is not good.

        Args:
            token: As it came.
            session_ids: It has to belong to one of these; the empty one stands for none.

        Raises:
            CsrfTokenMalformed: It has not the form of one.
            CsrfTokenInvalid: It is too old, was changed, or belongs to another session.
        """
        found = _FORM.fullmatch(token)
        if found is None:
            raise CsrfTokenMalformed
        expires_s, _, key_id, signature = found.groups()
        signing = await self._signing_keys.find(key_id)
        if signing is None:
            raise CsrfTokenInvalid
        said = token.rpartition(".")[0]
        # all are compared, so that the time does not tell which one it was
        fits = [hmac.compare_digest(signature, _signature(signing, said, one)) for one in session_ids]
        if not any(fits) or int(expires_s) <= self._clock.now().timestamp():
            raise CsrfTokenInvalid


def _signature(signing: SigningKey, said: str, session_id: str) -> str:
    mac = hmac.digest(signing.derived(_PURPOSE), f"{said}.{session_id}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")
