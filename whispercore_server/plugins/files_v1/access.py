"""Who may see what of a file: its owner, those it is shared with, and administrators.

Information, download and transcription of this API ask here; what changes anything asks the ports, which know owners
only.
"""

from __future__ import annotations

from attrs import evolve, frozen

from whispercore.files.manifest import File
from whispercore.files.stored import StoredFile
from whispercore.jobs.job import Job
from whispercore.people.caller import Caller
from whispercore_server.ports import Ports


@frozen
class Access:
    """Files and jobs that a caller may read.

    Args:
        ports: Where they are.
    """

    ports: Ports

    async def stored(self, file_id: str, caller: Caller) -> StoredFile:
        """A file with what became of it, to be looked at.

        Raises:
            NotFound: There is none, or the caller may not read it.
        """
        return await self.ports.stored_files.owned(file_id, await self._reader(file_id, caller))

    async def file(self, file_id: str, caller: Caller) -> File:
        """A file to be read.

        Raises:
            NotFound: There is none, or the caller may not read it.
        """
        return await self.ports.files.owned(file_id, await self._reader(file_id, caller))

    async def job(self, job_id: str, caller: Caller) -> Job:
        """The job of a file to be read.

        Raises:
            NotFound: There is none, or the caller may not read it.
        """
        lender_id = await self.ports.file_sharing.lender_of_job(job_id, caller)
        return await self.ports.jobs.owned(job_id, _in_place_of(lender_id, caller))

    async def _reader(self, file_id: str, caller: Caller) -> Caller:
        return _in_place_of(await self.ports.file_sharing.lender(file_id, caller), caller)


def _in_place_of(lender_id: str | None, caller: Caller) -> Caller:
    """The caller as he reads what is lent to him: in its owner's place."""
    return evolve(caller, user_id=lender_id) if lender_id is not None else caller
