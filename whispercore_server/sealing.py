"""What was stored in clear, sealed: what the commands do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from attrs import frozen

from whispercore.database.store import StillMine
from whispercore.errors import FileDamaged, InvalidOption, NotFound
from whispercore.files.sealing import RECORDINGS, settle
from whispercore.transcripts.sealing import jobs_in_clear, seal_job, seal_uploads
from whispercore_server import data_folder
from whispercore_server.accounts import opened
from whispercore_server.errors import CannotStart
from whispercore_server.ports import Ports
from whispercore_server.settings import ServerSettings
from whispercore_server.storage import blobs_of, check_storage

_TOLD_JOBS: Final = 1000


@frozen(kw_only=True)
class Done:
    """What was done."""

    files: int = 0
    size_bytes: int = 0
    damaged: int = 0
    """Files that are not what they were; what is left of them stays as it is."""


async def seal_recordings(settings: ServerSettings, *, tell: Callable[[str], object]) -> Done:
    """Seal all recordings that are in clear. Whenever it is broken off, it goes on where it was.

    Args:
        settings: Where they are.
        tell: Is told of each.

    Raises:
        CannotStart: A server, a worker or a backup is at work, or the database cannot be used.
        InvalidOption: There is no installation.
        WrongMasterKey: The master key is not that of this installation.
        StorageFull: There is no room for another part.
        Unavailable: The database cannot be reached any more.
    """
    async with _alone(settings) as (ports, still_alone):
        await settle(ports.database, blobs_of(settings))
        return await _sealed(ports, still_alone, tell)


async def seal_transcripts(settings: ServerSettings, *, tell: Callable[[str], object]) -> int:
    """Seal all that was said in jobs that are in clear, and leave nothing of it in the database.

    Whenever it is broken off, it goes on where it was.

    Args:
        settings: Where they are.
        tell: Is told how far it is, and of copies of the database that have them in clear.

    Returns:
        How many jobs there were.

    Raises:
        CannotStart: A server, a worker or a backup is at work, or the database cannot be used.
        InvalidOption: There is no installation, or new jobs would go on to be in clear.
        WrongMasterKey: The master key is not that of this installation.
        StorageFull: There is no room for a second database.
        Unavailable: The database cannot be reached any more.
    """
    if not settings.encrypt_transcripts:
        raise InvalidOption("encrypt_transcripts", "it is off, so new jobs would be in clear again: set it before")
    async with _alone(settings) as (ports, still_alone):
        database, count = ports.database, 0
        for job_id in await jobs_in_clear(database):
            await still_alone()
            count += await seal_job(database, job_id)
            if count and count % _TOLD_JOBS == 0:
                tell(f"{count} jobs")
        await seal_uploads(database)
        await database.compact()
        if database.path is not None:
            for copy in sorted(database.path.parent.glob(f"{database.path.name}.before-*")):
                tell(f"{copy} is from before an upgrade, and has transcripts in clear: remove it")
        return count


@asynccontextmanager
async def _alone(settings: ServerSettings) -> AsyncIterator[tuple[Ports, StillMine]]:
    """The installation, while nobody else is at work in it, on whatever machine."""
    with data_folder.held(settings.data):
        async with opened(settings) as accounts:
            await check_storage(settings)
            ports = accounts.ports
            if await ports.jobs.queue.workers():
                raise CannotStart("a worker is at work: stop it, or wait a minute if it has ended")
            ports.database.texts.unlock(await ports.key_pairs.workers())
            async with ports.database.reserved(RECORDINGS) as still_alone:
                if still_alone is None:
                    raise CannotStart(
                        "a server, a worker or a backup is at work, perhaps on another machine: stop all of them"
                    )
                yield ports, still_alone


async def _sealed(ports: Ports, still_alone: StillMine, tell: Callable[[str], object]) -> Done:
    files = size_bytes = damaged = 0
    for file_id in await ports.files.in_clear():
        try:
            sealed = await ports.files.seal(file_id, still_alone=still_alone)
        except NotFound:  # it was deleted at this moment
            continue
        except FileDamaged as error:
            damaged += 1
            tell(str(error))
            continue
        files, size_bytes = files + 1, size_bytes + sealed.size_bytes
        tell(f"{file_id}: {sealed.size_bytes} bytes")
    return Done(files=files, size_bytes=size_bytes, damaged=damaged)
