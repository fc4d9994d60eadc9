"""Recordings that were stored in clear, sealed: what the command does."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from whispercore.database.store import StillMine
from whispercore.errors import FileDamaged, NotFound
from whispercore.files.sealing import RECORDINGS
from whispercore_server import data_folder
from whispercore_server.accounts import opened
from whispercore_server.errors import CannotStart
from whispercore_server.ports import Ports
from whispercore_server.settings import ServerSettings
from whispercore_server.storage import check_storage


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
        CannotStart: A server or worker is at work, or the database cannot be used.
        InvalidOption: There is no installation.
        WrongMasterKey: The master key is not that of this installation.
        StorageFull: There is no room for another part.
        Unavailable: The database cannot be reached any more.
    """
    with data_folder.held(settings.data):
        async with opened(settings) as accounts:
            await check_storage(settings)
            ports = accounts.ports
            if await ports.jobs.queue.workers():
                raise CannotStart("a worker is at work: stop it, or wait a minute if it has ended")
            await ports.key_pairs.workers()
            async with ports.database.reserved(RECORDINGS) as still_alone:
                if still_alone is None:
                    raise CannotStart("a server or worker is at work, perhaps on another machine: stop all of them")
                return await _sealed(ports, still_alone, tell)


async def _sealed(ports: Ports, still_alone: StillMine, tell: Callable[[str], object]) -> Done:
    await ports.files.settle()
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
