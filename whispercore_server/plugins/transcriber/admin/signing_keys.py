"""Answers of ``api.transcriber.admin.signing_keys``."""

from __future__ import annotations

from attrs import define

from whispercore.api.transcriber.admin.signing_keys import RotateSigningKey, SigningKeyMade, SigningKeys
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports


@define
class SigningKeysHandlers:
    """Changes the key that tokens are signed with."""

    ports: Ports

    @serves(SigningKeys.rotate)
    async def rotate(self, request: RotateSigningKey, caller: Caller) -> SigningKeyMade:
        """The key itself is shown to nobody."""
        made = await self.ports.tokens.rotate(caller, believe_old=request.believe_old)
        return SigningKeyMade(key_id=made.id, created_at=made.created_at, message="Tokens are signed with a new key")
