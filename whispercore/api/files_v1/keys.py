"""Keys (seed 002, *Keys API*)."""

from __future__ import annotations

from datetime import datetime
from typing import Generic

from attrs import field, frozen

from whispercore.api.files_v1.dialect import FilesV1Group
from whispercore.contract.endpoint import Endpoint
from whispercore.contract.fields import between, length, told
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, FileDamaged, NotFound


@frozen(kw_only=True)
class MyKey:
    """The caller's own key."""


@frozen(kw_only=True)
class ReplaceKey:
    """A public key of one's own."""

    public_key: str = field(
        validator=length(1, 200), metadata=told("As age writes it: age1…. Its secret half stays with you.")
    )


@frozen(kw_only=True)
class PublicKey:
    """The public key that files are wrapped for."""

    user_id: str
    public_key: str
    is_held: bool
    """Whether the server has the secret half too, sealed to its master key."""
    created_at: datetime


@frozen(kw_only=True)
class ServerKeyWanted:
    """What recordings are encrypted for before they are sent."""


@frozen(kw_only=True)
class ServerKey:
    """What recordings are encrypted for before they are sent."""

    public_key: str
    """As age writes it: the key of a recording is encrypted for it."""
    part_bytes: int = field(validator=between(1 << 20, 64 << 20))
    """Bytes of the recording in each of its parts but the last."""
    sender_id: str
    """Id of the caller, which the key of a recording has to name."""


@frozen(kw_only=True)
class FileRef:
    """One file."""

    file_id: str = field(kw_only=False, metadata=told("Id of the file."))


@frozen(kw_only=True)
class FileKey:
    """The key of a file, for the caller."""

    file_id: str
    owner_id: str
    """Id of a user."""
    encrypted_key: str = field(repr=False)
    """An age file in base64. The caller's secret key opens it; in it is the secret key that opens the file's parts."""
    created_at: datetime


@frozen(kw_only=True)
class ShareRef:
    """One file, and one who may read it."""

    file_id: str = field(kw_only=False, metadata=told("Id of a file of the caller's."))
    user_id: str = field(kw_only=False, metadata=told("Id of another user."))


@frozen(kw_only=True)
class FileShare:
    """Somebody who may read a file."""

    file_id: str
    user_id: str
    created_at: datetime


@frozen(kw_only=True)
class FileShares:
    """Everybody who may read a file, but for its owner."""

    shares: list[FileShare]
    total: int


class Keys(FilesV1Group[T_co], Generic[T_co]):
    """Keys of files and users."""

    tag = "keys"
    me = Endpoint(
        "GET",
        "/api/v1/keys/me",
        MyKey,
        PublicKey,
        scope="users:read",
        doc="The public key that the caller's files are wrapped for.",
    )
    replace = Endpoint(
        "PUT",
        "/api/v1/keys/me",
        ReplaceKey,
        PublicKey,
        scope="users:write",
        person_only=True,
        doc="Have a public key of one's own. The server cannot open what is wrapped for it.",
    )
    server = Endpoint(
        "GET",
        "/api/v1/keys/server",
        ServerKeyWanted,
        ServerKey,
        scope="jobs:create",
        doc="The public key of the server, for recordings that are encrypted before they are sent.",
    )
    get = Endpoint(
        "GET",
        "/api/v1/keys/files/{file_id}/key",
        FileRef,
        FileKey,
        scope="files:read",
        errors=(NotFound, FileDamaged),
        doc="The key of a file, wrapped for the caller. What is stored in clear has none.",
    )
    shares = Endpoint(
        "GET",
        "/api/v1/keys/files/{file_id}/shares",
        FileRef,
        FileShares,
        scope="files:share",
        errors=(NotFound,),
        doc="With whom a file is shared, in the order of time.",
    )
    share = Endpoint(
        "POST",
        "/api/v1/keys/files/{file_id}/shares/{user_id}",
        ShareRef,
        FileShare,
        scope="files:share",
        status=201,
        also=(200,),
        errors=(NotFound, Conflict),
        doc="Let another user read a file, its key and its transcription. Again gives the same, with status 200.",
    )
    revoke = Endpoint(
        "DELETE",
        "/api/v1/keys/files/{file_id}/shares/{user_id}",
        ShareRef,
        FileShare,
        scope="files:share",
        errors=(NotFound,),
        doc="End that another user may read a file.",
    )
