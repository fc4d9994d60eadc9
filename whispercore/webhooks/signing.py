"""How messages to webhooks are signed: the scheme of https://www.standardwebhooks.com (version 1.0.0, symmetric).

A secret is made of two halves, as signing keys are: one is in the database, the other is the token key, which is not.
So neither the database nor a backup of it is enough to sign messages; and another token key gives every webhook
another secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

_HALF_BYTES: Final = 32
_PURPOSE: Final = b"whispercore webhook secret "
_PREFIX: Final = "whsec_"


def new_half() -> str:
    """What the database keeps of a new secret."""
    return base64.b64encode(secrets.token_bytes(_HALF_BYTES)).decode()


def whole(token_key: bytes, half: str) -> bytes:
    """The secret itself."""
    return hmac.digest(token_key, _PURPOSE + base64.b64decode(half), hashlib.sha256)


def shown(secret: bytes) -> str:
    """A secret as its owner gets it: ``whsec_`` and base64."""
    return _PREFIX + base64.b64encode(secret).decode()


def headers(message_id: str, now: datetime, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """What goes with a message, so that its receiver can tell that it is from here, whole and new.

    Args:
        message_id: The same each time that this message is sent.
        now: When it is sent; receivers refuse what is too old, so nobody can send it again later.
        body: As it is sent.
        keys: What to sign with, each by itself.
    """
    timestamp = str(int(now.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }
