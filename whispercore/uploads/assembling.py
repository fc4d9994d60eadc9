"""Making one file of the pieces that came: they stay where they are, and are compared with what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from whispercore.errors import BlobMissing, SealBroken, UploadIncomplete, WrongChecksum
from whispercore.files.checksums import matches
from whispercore.files.manifest import Part, Staged
from whispercore.screening.uploads import Specimen
from whispercore.uploads.ahead import Progress
from whispercore.uploads.pieces import Keyed, Pieces
from whispercore.uploads.session import Chunk, Session

if TYPE_CHECKING:
    from hashlib import _Hash as Hash  # it has no public name


@frozen(kw_only=True)
class Assembled:
    """All of a file."""

    staged: Staged
    specimen: Specimen
    """Its name and ends, to be screened."""


class Damaged(Exception):
    """Pieces in the store are not what came in: they have to come again."""

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__(f"{len(numbers)} pieces of an upload are damaged")
        self.numbers = tuple(numbers)


async def assembled(
    pieces: Pieces, session: Session, chunks: Sequence[Chunk], begun: Progress | None = None
) -> Assembled:
    """The file that these pieces are.

    Args:
        pieces: Where their bytes are.
        session: The upload.
        chunks: All its pieces, in their order.
        begun: What is known of the first of them, as they came.

    Raises:
        Damaged: Some are not what came in.
        WrongChecksum: The whole is not what its sender said.
    """
    for chunk in chunks:
        await pieces.settle(session.id, chunk)
    await pieces.durable(session.id)
    key = await pieces.key_of(session.id)
    if begun is None:
        begun = Progress(Specimen(session.filename, session.content_type))
    whole, specimen = begun.whole, begun.specimen
    damaged: list[int] = []
    async with aclosing(_contents(pieces, Keyed(session.id, key), chunks[begun.count :])) as contents:
        async for chunk, data in contents:
            if data is None or not await pieces.cores.run(_taken, chunk, data, whole):
                damaged.append(chunk.number)
            else:
                specimen.take(data)
    if damaged:
        raise Damaged(damaged)
    sha256 = whole.hexdigest()
    if session.file_hash is not None and session.file_hash != sha256:
        raise WrongChecksum("the file", session.file_hash, sha256)
    staged = Staged(
        id=session.id,
        name=session.filename,
        content_type=session.content_type,
        size_bytes=sum(chunk.size_bytes for chunk in chunks),
        sha256=sha256,
        parts=tuple(
            Part(
                number=one.number,
                size_bytes=one.size_bytes,
                checksum=one.checksum,
                stored_bytes=one.stored_bytes if one.stored_bytes is not None else one.size_bytes,
                encoding=one.encoding,
                stored_sha256=one.stored_sha256,
            )
            for one in chunks
        ),
        key=key,
    )
    return Assembled(staged=staged, specimen=specimen)


def check_sums(chunks: Sequence[Chunk], checksums: Sequence[str]) -> None:
    """Compare what came with what its sender says that he has sent.

    Raises:
        UploadIncomplete: Some chunks are others.
    """
    bad = tuple(
        chunk.number for chunk, told in zip(chunks, checksums, strict=True) if chunk.sha256 != told.strip().lower()
    )
    if bad:
        raise UploadIncomplete((), bad)


async def _contents(
    pieces: Pieces, upload: Keyed, chunks: Sequence[Chunk]
) -> AsyncGenerator[tuple[Chunk, bytes | memoryview | None], None]:
    """The bytes of each piece, None where there are none; the next is read while this one is looked at."""

    async def read(chunk: Chunk) -> bytes | memoryview | None:
        try:
            return await pieces.get(upload.id, evolve(chunk, blob=str(chunk.number)), upload.key)
        except (BlobMissing, SealBroken):
            return None

    ahead: asyncio.Task[bytes | memoryview | None] | None = None
    try:
        for index, chunk in enumerate(chunks):
            data = await (ahead if ahead is not None else read(chunk))
            following = index + 1
            ahead = asyncio.create_task(read(chunks[following])) if following < len(chunks) else None
            yield chunk, data
    finally:
        if ahead is not None:
            ahead.cancel()
            await asyncio.wait((ahead,))


def _taken(chunk: Chunk, data: bytes | memoryview, whole: Hash) -> bool:
    """Whether these are the bytes of a piece; they are added to the whole then."""
    if len(data) != chunk.size_bytes or not matches(chunk.checksum, data):
        return False
    whole.update(data)
    return True
