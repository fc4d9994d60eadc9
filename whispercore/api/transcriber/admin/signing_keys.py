"""The keys that tokens are signed with."""

from __future__ import annotations

from datetime import datetime
from typing import Generic

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Endpoint
from whispercore.contract.fields import told
from whispercore.contract.group import T_co


@frozen(kw_only=True)
class RotateSigningKey:
    """Whether tokens that were signed before stay good."""

    believe_old: bool = field(
        default=True,
        metadata=told("Whether tokens that were signed before stay good until they expire: not after a leak."),
    )


@frozen(kw_only=True)
class SigningKeyMade:
    """Tokens are signed with a new key."""

    key_id: str
    """As tokens name it, in ``kid``."""
    created_at: datetime
    message: str


class SigningKeys(TranscriberGroup[T_co], Generic[T_co]):
    """The keys that tokens are signed with."""

    tag = "signing_keys"
    rotate = Endpoint(
        "POST",
        "/admin/security/signing-keys/rotate",
        RotateSigningKey,
        SigningKeyMade,
        scope="admin",
        limit="admin",
        status=201,
        doc="Sign tokens with a new key. Nobody is logged out.",
    )
