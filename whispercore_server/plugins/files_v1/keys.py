"""Answers of ``api.files_v1.keys``."""

from __future__ import annotations

from attrs import define

from whispercore.api.files_v1.keys import (
    FileKey,
    FileRef,
    FileShare,
    FileShares,
    Keys,
    MyKey,
    PublicKey,
    ReplaceKey,
    ServerKey,
    ServerKeyWanted,
    ShareRef,
)
from whispercore.encryption.key_pairs import KeyPair
from whispercore.encryption.sharing import Wrap
from whispercore.people.caller import Caller
from whispercore_server.plugin import Reply, serves
from whispercore_server.ports import Ports


@define
class KeysHandlers:
    """Shows keys, and shares files by them."""

    ports: Ports

    @serves(Keys.me)
    async def me(self, request: MyKey, caller: Caller) -> PublicKey:
        """Made now for who came before there were any."""
        del request
        return _public(await self.ports.file_sharing.own_key(caller))

    @serves(Keys.replace)
    async def replace(self, request: ReplaceKey, caller: Caller) -> PublicKey:
        """The secret half of the old one is forgotten."""
        return _public(await self.ports.file_sharing.replace_key(caller, request.public_key))

    @serves(Keys.server)
    async def server(self, request: ServerKeyWanted, caller: Caller) -> ServerKey:
        """The public half of what the workers open recordings with."""
        del request
        return ServerKey(
            public_key=await self.ports.sent_keys.public_key(),
            part_bytes=self.ports.files.part_bytes,
            sender_id=caller.user_id,
        )

    @serves(Keys.get)
    async def get(self, request: FileRef, caller: Caller) -> FileKey:
        """Of readers only: an administrator has none."""
        wrap = await self.ports.file_sharing.wrap_for(request.file_id, caller)
        return FileKey(
            file_id=wrap.file_id, owner_id=wrap.owner_id, encrypted_key=wrap.wrap, created_at=wrap.created_at
        )

    @serves(Keys.shares)
    async def shares(self, request: FileRef, caller: Caller) -> FileShares:
        """The owner's alone to see."""
        shares = [_share(one) for one in await self.ports.file_sharing.readers(request.file_id, caller)]
        return FileShares(shares=shares, total=len(shares))

    @serves(Keys.share)
    async def share(self, request: ShareRef, caller: Caller) -> Reply[FileShare]:
        """The key is wrapped anew, for the other one's public key."""
        wrap, is_new = await self.ports.file_sharing.share(request.file_id, request.user_id, caller)
        return Reply(body=_share(wrap), status=201 if is_new else 200)

    @serves(Keys.revoke)
    async def revoke(self, request: ShareRef, caller: Caller) -> FileShare:
        """His wrap is deleted."""
        return _share(await self.ports.file_sharing.revoke(request.file_id, request.user_id, caller))


def _public(pair: KeyPair) -> PublicKey:
    return PublicKey(user_id=pair.owner_id, public_key=pair.recipient, is_held=pair.is_held, created_at=pair.created_at)


def _share(wrap: Wrap) -> FileShare:
    return FileShare(file_id=wrap.file_id, user_id=wrap.reader_id, created_at=wrap.created_at)
