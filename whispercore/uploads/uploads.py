"""Uploads in pieces: all that takes part in them, for those who hold it."""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import frozen

from whispercore.audit.trail import Audit
from whispercore.clock import Clock
from whispercore.database.session import Database
from whispercore.files.blobs import Blobs
from whispercore.files.files import Files
from whispercore.ids import Ids
from whispercore.jobs.table import Jobs
from whispercore.tasks.submission import Submissions
from whispercore.uploads.ahead import Ahead
from whispercore.uploads.appending import Appending
from whispercore.uploads.chunks import Chunks
from whispercore.uploads.finalizing import Finalizing
from whispercore.uploads.joining import Joining
from whispercore.uploads.parallel import Parallel
from whispercore.uploads.pieces import Pieces
from whispercore.uploads.quota import Quota
from whispercore.uploads.sessions import Sessions


@frozen(kw_only=True)
class Uploads:
    """Uploads in pieces."""

    sessions: Sessions
    chunks: Chunks
    appending: Appending
    joining: Joining
    finalizing: Finalizing
    quota: Quota
    parallel: Parallel
    ahead: Ahead

    @classmethod
    def of(
        cls,
        database: Database,
        blobs: Blobs,
        files: Files,
        *,
        submissions: Submissions,
        jobs: Jobs,
        audit: Audit,
        clock: Clock,
        ids: Ids,
        lasts: timedelta,
        most_open: int,
        most_parallel: int,
        quota: Quota,
    ) -> Uploads:
        """Put them together.

        Args:
            database: Where their rows are.
            blobs: Where their bytes are.
            files: What they become.
            submissions: Makes jobs of them.
            jobs: Where these jobs are.
            audit: Where it is noted.
            clock: By whose time they expire.
            ids: Names for new ones.
            lasts: How long one is kept after the last piece that came.
            most_open: How many of one user may be open at a time.
            most_parallel: How many pieces one user may be sending at a time.
            quota: What each user may store.
        """
        parallel = Parallel(most_parallel)
        sessions = Sessions(
            database,
            Pieces(blobs, files),
            files,
            audit=audit,
            quota=quota,
            clock=clock,
            ids=ids,
            lasts=lasts,
            most_open=most_open,
        )
        ahead = Ahead(sessions.pieces)
        return cls(
            sessions=sessions,
            parallel=parallel,
            chunks=Chunks(sessions, parallel, ahead),
            appending=Appending(sessions, parallel, ahead),
            joining=Joining(sessions),
            finalizing=Finalizing(sessions, submissions, jobs, clock=clock, ahead=ahead),
            quota=quota,
            ahead=ahead,
        )

    async def sweep(self, now: datetime) -> int:
        """Give up those that have expired; how many there were."""
        return await self.sessions.sweep(now)

    async def close(self) -> None:
        """End what is still being computed."""
        await self.ahead.close()
