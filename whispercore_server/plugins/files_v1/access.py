"""Who may see what of a file: its owner, and administrators. Every answer about a file of this API asks here.

Information, download, key and transcription ask here; what changes anything asks the ports, which
know owners only.
"""

from __future__ import annotations

from attrs import frozen

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
        return await self.ports.stored_files.owned(file_id, caller)

    async def file(self, file_id: str, caller: Caller) -> File:
        """A file to be read.

        Raises:
            NotFound: There is none, or the caller may not read it.
        """
        return await self.ports.files.owned(file_id, caller)

    async def job(self, job_id: str, caller: Caller) -> Job:
        """The job of a file to be read.

        Raises:
            NotFound: There is none, or the caller may not read it.
        """
        return await self.ports.jobs.owned(job_id, caller)
