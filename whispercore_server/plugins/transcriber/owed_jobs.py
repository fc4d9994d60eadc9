"""Jobs of uploads by tus whose metadata name a model: made with the last byte, or later where that failed."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from attrs import define, evolve, field
from sqlalchemy.exc import SQLAlchemyError

from whispercore.api.transcriber.tus import Tus
from whispercore.errors import NotFound, NotPermitted, RequestError, StorageFull, Unavailable, WhispercoreError
from whispercore.people.caller import Caller
from whispercore.uploads.finalizing import Wanted
from whispercore.uploads.session import SAID, SAID_SEALED, Session, State
from whispercore_server.beside import beside
from whispercore_server.ordering import PRIORITIES, options_of
from whispercore_server.plugins.transcriber.chunked_uploads import MAKES_JOBS, screen_of
from whispercore_server.plugins.transcriber.tus_headers import Metadata
from whispercore_server.ports import Ports

LOOK_AGAIN_S: Final = 30.0
_log = logging.getLogger(__name__)


@define
class OwedJobs:
    """Makes them.

    Args:
        ports: Of the server.
    """

    ports: Ports
    _hopeless: set[str] = field(factory=set)
    """Uploads of which no job could be made, though there was room for one."""

    def metadata(self, session: Session) -> str:
        """What the client said of an upload."""
        sealed = session.metadata.get(SAID_SEALED)
        return session.metadata.get(SAID, "") if sealed is None else self.ports.database.texts.own.open(sealed)

    async def finished(self, session: Session, caller: Caller) -> Session:
        """The upload, with its job if all of it is here and its metadata name a model."""
        asked = Metadata.of(self.metadata(session)).options()
        if asked is None or not session.is_whole or session.role == "part" or session.job_id is not None:
            return session
        await self.ports.submissions.queue_limit.check()
        wanted = Wanted(
            options=await options_of(self.ports, asked, caller),
            screen=screen_of(self.ports, Tus.append.path),
            priority=PRIORITIES[asked.priority],
        )
        submitted = await self.ports.uploads.finalizing.finish(session.id, caller, wanted)
        return evolve(session, state=State.COMPLETED, job_id=submitted.job.id)

    async def make(self) -> None:
        """Make those that are owed yet: the queue was full at the last byte, or the server was killed.

        What no job can be made of is left to its sender, and expires if he does nothing.

        Raises:
            Unavailable: The queue is full again, or the database is busy.
            StorageFull: There is no room for them.
        """
        found = await self.ports.uploads.sessions.whole()
        self._hopeless &= {session.id for session in found}
        for session in found:
            if session.id in self._hopeless:
                continue
            try:
                await self.finished(session, await self._owner(session))
            except (Unavailable, StorageFull):
                raise
            except WhispercoreError as error:
                _log.warning("upload %s: no job can be made of it: %s", session.id, error)
                self._hopeless.add(session.id)

    async def _owner(self, session: Session) -> Caller:
        try:
            user = await self.ports.users.get(session.owner_id)
        except NotFound:  # he is known to somebody else, who says who is calling
            return Caller(user_id=session.owner_id, username="", scopes=frozenset())
        owner = user.caller("token")
        if not user.is_active or not owner.may(MAKES_JOBS):
            raise NotPermitted(MAKES_JOBS)
        return owner


@asynccontextmanager
async def making(ports: Ports) -> AsyncIterator[None]:
    """Make jobs that are owed, now and again, for as long as the block lasts; ``ports`` have to be open."""
    async with beside(_make_on(ports), "making owed jobs"):
        yield


async def _make_on(ports: Ports) -> None:
    owed = OwedJobs(ports)
    while True:
        try:
            await owed.make()
        except (RequestError, SQLAlchemyError, OSError) as error:  # the next time, or the one after
            _log.warning("uploads wait for their jobs: %s", error)
        await ports.clock.sleep(LOOK_AGAIN_S)
