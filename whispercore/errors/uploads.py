"""Why an upload in pieces is refused."""

from __future__ import annotations

from attrs import define

from whispercore.errors.request import RequestError

_SHOWN = 10
"""Numbers that a sentence names; the error itself has all of them."""


@define
class UploadIncomplete(RequestError):
    """Pieces of an upload are missing, or are not what their sender says they are."""

    code = "upload_incomplete"
    missing_chunks: tuple[int, ...]
    """Their numbers, from 0."""
    bad_chunks: tuple[int, ...] = ()
    """Those that came, but with other bytes; they are taken once more."""

    def __str__(self) -> str:
        said = [
            f"{len(numbers)} {'chunk is' if len(numbers) == 1 else 'chunks are'} {what}: {_listed(numbers)}"
            for what, numbers in (("missing", self.missing_chunks), ("not what was sent", self.bad_chunks))
            if numbers
        ]
        return "; ".join(said) or "the upload is not complete"


@define
class WrongChecksum(RequestError):
    """The bytes that came in are not those that were sent."""

    code = "wrong_checksum"
    what: str
    """``chunk 3``, ``the file`` …"""
    expected: str
    found: str

    def __str__(self) -> str:
        return f"the checksum of {self.what} is {self.found}, not {self.expected}"


@define
class EncryptedForAnother(RequestError):
    """A recording came in encrypted, and not for the key that it has to be encrypted for."""

    code = "encrypted_for_another"
    whose: str
    """``the server`` or ``you``."""
    public_key: str
    """Theirs."""

    def __str__(self) -> str:
        return f"it is not encrypted for {self.whose}: the public key is {self.public_key}"


@define
class EncryptedPartDamaged(RequestError):
    """A part of a recording that came in encrypted cannot be opened."""

    code = "encrypted_part_damaged"
    number: int
    """Its place, from 0."""
    part_bytes: int
    """What each part but the last has to have in it."""

    def __str__(self) -> str:
        return (
            f"part {self.number} cannot be opened: it was changed or cut off, was encrypted with another key than that "
            f"which came with it, or the parts before it have not {self.part_bytes:,} bytes in them"
        )


@define
class UploadExpired(RequestError):
    """Nothing came for too long, so the upload was given up."""

    code = "upload_expired"
    id: str

    def __str__(self) -> str:
        return f"the upload {self.id} has expired; begin a new one"


@define
class QuotaExceeded(RequestError):
    """The caller's share of the disk has no room for it."""

    code = "quota_exceeded"
    quota_bytes: int
    used_bytes: int
    """What he has, and what is announced for uploads that are still open."""
    needed_bytes: int

    def __str__(self) -> str:
        return (
            f"of the {self.quota_bytes:,} bytes that you may store, {self.used_bytes:,} are used, "
            f"so another {self.needed_bytes:,} do not fit; delete what you need no more"
        )


def _listed(numbers: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, numbers[:_SHOWN]))
    return f"{shown}, …" if len(numbers) > _SHOWN else shown
