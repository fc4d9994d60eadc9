"""Keys of recordings that were sealed before they were sent: made by who sends them, wrapped for the server and him."""

from __future__ import annotations

import base64

from attrs import frozen

from whispercore.contract.fields import ENCRYPTED_KEY
from whispercore.encryption import age, sealed_file
from whispercore.encryption.file_keys import Brought, FileKey
from whispercore.encryption.key_pairs import KeyPairs
from whispercore.encryption.sharing import FileSharing
from whispercore.errors import EncryptedForAnother, InvalidRequest, SealBroken
from whispercore.people.caller import Caller


@frozen
class SentKeys:
    """Opens them.

    Args:
        pairs: That of the workers opens them.
        sharing: Knows the public keys of senders.
    """

    pairs: KeyPairs
    sharing: FileSharing

    async def public_key(self) -> str:
        """What they have to be wrapped for, so that the server can transcribe the recording."""
        return age.recipient_of(await self.pairs.workers())

    async def opened(self, wrap: str, recipient: str | None, caller: Caller) -> FileKey:
        """The key of a recording.

        Args:
            wrap: An age file in base64.
            recipient: Whose public key it was made for too: it has to be the caller's. If not given, one is made for
                him as for any recording.
            caller: Who sends it.

        Raises:
            InvalidRequest: It is no key, not in base64, or another user's: the server would open it for the wrong one.
            EncryptedForAnother: It was made for another key than that of the server, or of the caller.
        """
        try:
            data = base64.b64decode(wrap, validate=True)
        except ValueError as error:
            raise InvalidRequest.one(ENCRYPTED_KEY, f"it is not base64: {error}") from error
        try:
            sender_id, identity = sealed_file.read_key_text(age.unseal(data, await self.pairs.workers()).decode())
            key = FileKey(recipient=age.recipient_of(identity), identity=identity)
        except SealBroken as error:
            raise EncryptedForAnother("the server", await self.public_key()) from error
        except ValueError as error:
            raise InvalidRequest.one(ENCRYPTED_KEY, f"what is in it cannot be used: {error}") from None
        if sender_id != caller.user_id:
            raise InvalidRequest.one(ENCRYPTED_KEY, "it is another user's")
        if recipient is None:
            return key
        own = (await self.sharing.own_key(caller)).recipient
        if recipient != own:
            raise EncryptedForAnother("you", own)
        return FileKey(recipient=key.recipient, identity=identity, brought=Brought(recipient=own, wrap=wrap))
