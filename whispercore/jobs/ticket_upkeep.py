"""What keeps tickets and jobs in step, whatever was killed in between: done every few seconds, by one worker of all."""

from __future__ import annotations

from typing import Final

from procrastinate import App
from procrastinate.jobs import Status
from sqlalchemy import Text, cast, column, func, or_, select, table

from whispercore.database.session import Database
from whispercore.database.tables import jobs
from whispercore.jobs.rows import QUEUED
from whispercore.jobs.tickets import TICKET, queue_of

UPKEEP: Final = "whispercore.upkeep"
UPKEEP_QUEUE: Final = UPKEEP
STALLED_S: Final = 30.0
"""How long a worker of procrastinate may be silent before its tickets are removed."""
_EVERY_5_S: Final = "* * * * * */5"
_MOST: Final = 100
"""How many tickets of a kind are made at once: whoever has one goes on for as long as there are jobs."""

_tickets = table(
    "procrastinate_jobs",
    column("queue_name", Text),
    column("task_name", Text),
    column("status"),
    column("scheduled_at"),
)


class TicketUpkeep:
    """Replaces tickets that were lost, and removes those of workers that are gone.

    Args:
        database: Where jobs and tickets are.
        app: The application of procrastinate; it gets a periodic task.
    """

    def __init__(self, database: Database, app: App) -> None:
        self._database = database
        self._app = app

        @app.periodic(cron=_EVERY_5_S)
        @app.task(name=UPKEEP, queue=UPKEEP_QUEUE, queueing_lock=UPKEEP)
        async def upkeep(timestamp: int) -> None:
            del timestamp
            await self.clean()
            await self.replace()

    async def replace(self) -> None:
        """Make tickets where more jobs wait for a worker than there are tickets."""
        now = self._database.now()
        due = or_(jobs.c.next_attempt_at.is_(None), jobs.c.next_attempt_at <= now)
        waiting = select(jobs.c.kind, func.count()).where(QUEUED, due).group_by(jobs.c.kind)
        at_hand = (
            select(_tickets.c.queue_name, func.count())
            .where(_tickets.c.task_name == TICKET, cast(_tickets.c.status, Text) == "todo")
            .where(or_(_tickets.c.scheduled_at.is_(None), _tickets.c.scheduled_at <= now))
            .group_by(_tickets.c.queue_name)
        )
        async with self._database.read() as tx:
            wanted = {queue_of(kind): count for kind, count in await tx.execute(waiting)}
            there = {queue: count for queue, count in await tx.execute(at_hand)}  # noqa: C416 (rows are no pairs)
        for queue, count in wanted.items():
            missing = min(count - there.get(queue, 0), _MOST)
            if missing > 0:
                tickets = self._app.configure_task(TICKET, queue=queue)
                await tickets.batch_defer_async(*({} for _ in range(missing)))

    async def clean(self) -> None:
        """Remove what workers that are gone have left."""
        manager = self._app.job_manager
        for task in (TICKET, UPKEEP):
            for left in await manager.get_stalled_jobs(task_name=task, seconds_since_heartbeat=STALLED_S):
                await manager.finish_job(left, Status.FAILED, delete_job=True)
        await manager.prune_stalled_workers(STALLED_S)
