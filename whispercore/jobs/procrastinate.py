"""Dispatch between machines that share nothing but a PostgreSQL, by procrastinate.

Whoever queues a job makes a ticket in the same transaction, and a worker that is given one claims the job whose turn it
is. So procrastinate wakes, and counts what is done at once, while order, fairness and every state stay those of the
table of jobs. A ticket too many finds nothing to do, and one too few is replaced.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Any

from procrastinate import App
from procrastinate.exceptions import ConnectorException, ProcrastinateException
from psycopg_pool import PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.session import Database
from whispercore.database.undisturbed import undisturbed
from whispercore.errors import Unavailable
from whispercore.jobs.dispatch import Hands
from whispercore.jobs.holding import HELD
from whispercore.jobs.ticket_upkeep import STALLED_S, UPKEEP_QUEUE, TicketUpkeep
from whispercore.jobs.tickets import AGAIN_S, TICKET, TicketConnector, queue_of, tickets_app

LOOK_S = 5.0
"""How often a worker with nothing to do looks for tickets that were for later."""
_HEARTBEAT_S = STALLED_S / 3
_log = logging.getLogger(__name__)


class ProcrastinateDispatch:
    """See ``Dispatch``.

    Args:
        database: The PostgreSQL.
        look_s: How often a worker with nothing to do looks for tickets that were for later.
    """

    def __init__(self, database: Database, look_s: float = LOOK_S) -> None:
        self._database = database
        self._look_s = look_s
        self._url = next(iter(database.engines)).url
        self._announcing = tickets_app(self._url)
        self._working: set[Hands] = set()

    async def announce(self, tx: AsyncConnection, kind: str, due: datetime | None) -> None:
        """Make a ticket. Workers are told when the transaction commits."""
        if due == HELD:
            return
        connection = (await tx.get_raw_connection()).driver_connection
        ticket = self._announcing.configure_task(TICKET, queue=queue_of(kind), schedule_at=due, connection=connection)
        try:
            await ticket.defer_async()
        except ConnectorException as error:
            raise error.__cause__ or error from None

    def interrupt(self, job_id: str) -> None:
        """Tell the workers of this process; one of them may have it."""
        for hands in self._working:
            hands.interrupt(job_id)

    async def work(self, hands: Hands, slots: int) -> None:
        """Have jobs done, in the order of the table, until cancelled."""
        self._working.add(hands)
        try:
            while True:
                try:
                    await self._serve(hands, slots)
                except (ProcrastinateException, PoolTimeout, Unavailable) as error:
                    _log.warning("tickets are not handed out, which is tried again: %s", error.__cause__ or error)
                await asyncio.sleep(AGAIN_S)
        finally:
            self._working.discard(hands)

    async def _serve(self, hands: Hands, slots: int) -> None:
        app = tickets_app(self._url)
        connector = app.connector
        assert isinstance(connector, TicketConnector)
        upkeep = TicketUpkeep(self._database, app)
        in_work: set[asyncio.Task[Any]] = set()
        ending = asyncio.Event()

        @app.task(name=TICKET)
        async def ticket() -> None:
            task = asyncio.current_task()
            assert task is not None
            in_work.add(task)
            try:
                while not ending.is_set() and (run := await hands.claim()) is not None:
                    await run()
            finally:
                in_work.discard(task)

        async with app.open_async():
            await upkeep.replace()
            workers = {
                asyncio.create_task(self._worker(app, [queue_of(kind) for kind in hands.kinds], slots)),
                asyncio.create_task(self._worker(app, [UPKEEP_QUEUE], 1)),
            }
            try:
                ended, others = await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
                ending.set()
                for one in others:
                    one.cancel()
                if others:
                    await asyncio.wait(others)  # jobs in work go on to their end
            finally:
                ending.set()
                for one in (*workers, *in_work):
                    if not one.cancelling():
                        one.cancel()
                connector.leaving = True
                await undisturbed(_over({*workers, *in_work}))
            for worker in ended:
                worker.result()

    async def _worker(self, app: App, queues: list[str], slots: int) -> None:
        await app.run_worker_async(
            queues=queues,
            concurrency=slots,
            fetch_job_polling_interval=self._look_s,
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=_HEARTBEAT_S,
            stalled_worker_timeout=STALLED_S,
        )


async def _over(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
