"""The audit trail without a server, or beside one: what the commands do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from attrs import evolve, frozen
from sqlalchemy import select

from whispercore.audit.chain import head_of
from whispercore.audit.head_file import HeadFile
from whispercore.audit.key import AuditKey
from whispercore.audit.records import EventFilter, Record, Records
from whispercore.audit.retention import prune
from whispercore.audit.trail import Audit
from whispercore.audit.verify import Verified, verify
from whispercore.backup.snapshot import Snapshot
from whispercore.database.migrating import OURS, newest_revision
from whispercore.database.page import Slice
from whispercore.database.session import SQLITE, Database, parsed
from whispercore.database.tables import audit_head
from whispercore.errors import InvalidOption
from whispercore.ids import Uuid7Ids
from whispercore.incidents.detection import Detection
from whispercore.people.caller import Caller
from whispercore_server.errors import CannotStart
from whispercore_server.settings import ServerSettings

KEY: Final = "audit.key"
HEAD: Final = "audit-head.json"
OPERATOR: Final = evolve(Caller.nobody(), username="command line")
"""Who is at the machine itself."""


def audit_of(settings: ServerSettings, database: Database) -> Audit:
    """The trail that these settings mean."""
    ids = Uuid7Ids(database.clock)
    return Audit(
        database,
        clock=database.clock,
        ids=ids,
        key=AuditKey(settings.data / KEY, text=settings.audit_key),
        head_file=settings.data / HEAD,
        watcher=Detection(ids),
    )


@frozen
class Trail:
    """The trail of an installation, whether a server is at work or not."""

    settings: ServerSettings
    database: Database

    async def verified(self, *, head: Path | None, known: int) -> Verified:
        """Look at every event.

        Args:
            head: A copy of the head that was kept elsewhere, to be compared with instead of the one in the data folder.
            known: Breaks that the trail recorded up to this position are known.

        Raises:
            CannotStart: The key is gone.
        """
        key = AuditKey(self.settings.data / KEY, text=self.settings.audit_key)
        if not key.known():  # a new one would be made, and confirm nothing
            raise CannotStart(
                f"{self.settings.data / KEY} is gone: nothing can be said about the trail without its key"
            )
        return await verify(self.database, key, HeadFile(head or self.settings.data / HEAD), known=known)

    async def newest(self, wanted: EventFilter, count: int) -> list[Record]:
        """The newest events that fit, the oldest of them first."""
        page = await Records(self.database).listed(wanted, Slice(0, count))
        return list(reversed(page.rows))

    async def pruned(self, before: datetime) -> int:
        """Drop what is older, and give how many events that were.

        Raises:
            Conflict: The trail was changed; nothing is dropped then.
        """
        audit = audit_of(self.settings, self.database)
        await audit.open()
        try:
            return await prune(audit, before, OPERATOR)
        finally:
            await audit.close()

    async def head(self) -> str:
        """The signed head as one line of JSON, to be kept where nobody changes it.

        Raises:
            CannotStart: There is none yet.
        """
        rows = await self.database.rows(select(audit_head))
        if not rows:
            raise CannotStart("nothing has happened yet, so the trail has no head")
        key = AuditKey(self.settings.data / KEY, text=self.settings.audit_key)
        head = head_of(rows[0])
        if not key.known() or not head.signed_by(key.secret(), rows[0].signature):
            raise CannotStart("the head of the trail is not as it was signed: whispercore audit verify says more")
        return json.dumps(head.columns(key.secret()))


@asynccontextmanager
async def opened(settings: ServerSettings) -> AsyncIterator[Trail]:
    """The trail of the installation in the folder.

    Raises:
        InvalidOption: There is no installation in the folder.
        CannotStart: It is of another version.
    """
    _check(settings)
    async with Database(settings.database_url) as database:
        if database.dialect != "sqlite":
            await database.check()
        yield Trail(settings, database)


def _check(settings: ServerSettings) -> None:
    url = parsed(settings.database_url)
    if url.drivername != SQLITE:
        return
    path = url.database
    if path is None or not Path(path).is_file():
        raise InvalidOption("--data", f"there is no installation in {settings.data}")
    with Snapshot(Path(path)) as snapshot:
        version = snapshot.schemas().get(OURS.name)
    if version != newest_revision(OURS):
        raise CannotStart(
            f"the database has schema {version}, and this is {newest_revision(OURS)}: use the version of whispercore "
            "that it belongs to, or start the server once, which brings it up to date"
        )
