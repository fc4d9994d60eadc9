"""Tickets bring jobs and workers together, and decide nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping

import pytest
from sqlalchemy import text

from tests.databases import opened
from tests.postgres import running
from tests.waiting import until
from whispercore.database.session import Database
from whispercore.engines.engine import DetectedLanguage
from whispercore.errors import Unavailable
from whispercore.jobs.job import Job, NewJob, State
from whispercore.jobs.postgres_events import PostgresEvents
from whispercore.jobs.procrastinate import ProcrastinateDispatch
from whispercore.jobs.table import Jobs
from whispercore.jobs.ticket_upkeep import TicketUpkeep
from whispercore.jobs.tickets import tickets_app
from whispercore.jobs.worker import Handler, Running, Worker
from whispercore.testing.making_jobs import ANN, enqueued

NEVER_S = 3600.0


@contextlib.asynccontextmanager
async def machine(url: str) -> AsyncIterator[Jobs]:
    """The jobs as one of several machines has them; nobody there looks for any by himself."""
    async with opened(url) as database:
        events = PostgresEvents(database)
        async with events.opened():
            await events.heard()
            yield Jobs(database, dispatch=ProcrastinateDispatch(database, look_s=NEVER_S), events=events)


@pytest.fixture
async def server(postgres_url: str) -> AsyncIterator[Jobs]:
    async with machine(postgres_url) as jobs:
        yield jobs


@pytest.fixture
async def other(postgres_url: str) -> AsyncIterator[Jobs]:
    async with machine(postgres_url) as jobs:
        yield jobs


@contextlib.asynccontextmanager
async def working(
    jobs: Jobs, handlers: Mapping[str, Handler], *, name: str = "w", slots: int = 1
) -> AsyncIterator[None]:
    task = asyncio.create_task(Worker(jobs, handlers, name=name, slots=slots).run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def over(jobs: Jobs, job: Job) -> Job:
    with jobs.events.subscribe(job.id) as events:
        while not (found := await jobs.owned(job.id, ANN)).state.is_over:
            await events.moved()
    return found


async def tickets(jobs: Jobs) -> int:
    async with jobs.database.read() as tx:
        return int((await tx.execute(text("SELECT count(*) FROM procrastinate_jobs"))).scalar_one())


async def nothing(running: Running) -> None:
    del running


async def test_a_worker_elsewhere_begins_without_looking(server: Jobs, other: Jobs) -> None:
    async with working(other, {"transcribe": nothing}):
        for _ in range(20):
            job = await enqueued(server)
            assert (await over(server, job)).attempt == 1
        async with server.database.write() as tx:  # told only when it can be seen
            job = await server.enqueue(tx, NewJob(owner_id="ann", kind="transcribe"))
            for _ in range(10):
                await server.listed(ANN)
        assert (await over(server, job)).state is State.COMPLETED


async def test_whose_turn_it_is_stands_in_the_table(server: Jobs, other: Jobs) -> None:
    done: list[str] = []

    async def note(running: Running) -> None:
        done.append(running.job.id)

    late = [await enqueued(server, kind="transcribe") for _ in range(2)]
    urgent = await enqueued(server, kind="transcribe", priority=10)
    unknown = await enqueued(server, kind="unknown", priority=20)
    async with working(other, {"transcribe": note}):
        for job in late:
            await over(server, job)
    assert done == [urgent.id, *(job.id for job in late)]
    assert (await server.owned(unknown.id, ANN)).state is State.QUEUED
    async with working(other, {"unknown": note}):  # its ticket is still there
        await over(server, unknown)
    assert done[-1] == unknown.id


async def test_a_job_that_is_not_queued_after_all_has_no_ticket(server: Jobs) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with server.database.write() as tx:
            await server.enqueue(tx, NewJob(owner_id="ann", kind="transcribe"))
            raise ZeroDivisionError
    assert await tickets(server) == 0


async def test_jobs_of_one_that_stops_go_on_elsewhere(server: Jobs, other: Jobs) -> None:
    begun = asyncio.Event()

    async def endless(running: Running) -> None:
        del running
        begun.set()
        await asyncio.Event().wait()

    job = await enqueued(server)
    async with working(other, {"transcribe": endless}):
        await begun.wait()
    given_back = await server.owned(job.id, ANN)
    assert (given_back.state, given_back.failures, given_back.lease_owner) == (State.QUEUED, 0, None)
    async with working(server, {"transcribe": nothing}, name="heir"):
        assert (await over(server, job)).attempt == 2


async def test_lost_tickets_are_replaced_and_those_of_the_dead_removed(server: Jobs) -> None:
    upkeep = TicketUpkeep(server.database, app := tickets_app(next(iter(server.database.engines)).url))
    made = [await enqueued(server) for _ in range(3)]
    assert await tickets(server) == 3
    async with server.database.write() as tx:
        await tx.execute(text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')"))
        await tx.execute(
            text(
                "UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM procrastinate_workers)"
                " WHERE id IN (SELECT id FROM procrastinate_jobs LIMIT 2)"
            )
        )
    async with app.open_async():
        await upkeep.clean()
        assert await tickets(server) == 1
        await upkeep.replace()
        assert await tickets(server) == 3
        await upkeep.replace()
        assert await tickets(server) == 3
    async with working(server, {"transcribe": nothing}):
        assert {(await over(server, job)).state for job in made} == {State.COMPLETED}


async def test_a_server_that_was_away_is_heard_again_and_fails_no_job(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with running() as postgres:
        postgres.keep(name := postgres.new())
        url = postgres.url(name)
        async with Database(url) as database:
            await database.upgrade()
        began, go_on = asyncio.Event(), asyncio.Event()

        async def wait(running: Running) -> None:
            if running.job.priority == 0:
                began.set()
                await go_on.wait()
                await running.claim.decided(DetectedLanguage(code="en", probability=1.0))

        async with machine(url) as jobs, working(jobs, {"transcribe": wait}, slots=2):
            before = await enqueued(jobs)
            await began.wait()
            postgres.stop()
            go_on.set()
            await until(lambda: "a job goes on as soon as that is possible" in caplog.text)
            postgres.start()
            after = await enqueued(jobs, priority=1)
            while not (await jobs.owned(after.id, ANN)).state.is_over:  # noqa: ASYNC110 (events come only when heard)
                await asyncio.sleep(0.05)
            while not (found := await jobs.owned(before.id, ANN)).state.is_over:  # noqa: ASYNC110 (likewise)
                await asyncio.sleep(0.05)
            assert (found.state, found.attempt, found.failures) == (State.COMPLETED, 1, 0)
            caplog.clear()
            began.clear()
            go_on.clear()
            now = await enqueued(jobs)
            await began.wait()
            postgres.take_changes(so=False)
            with contextlib.suppress(Unavailable):
                while True:  # until its processes have heard of it
                    await jobs.queue.leave("nobody")
            go_on.set()
            await until(lambda: "a job goes on as soon as that is possible" in caplog.text)
            postgres.take_changes(so=True)
            found = now
            while not found.state.is_over:
                with contextlib.suppress(Unavailable):
                    found = await jobs.owned(now.id, ANN)
                await asyncio.sleep(0.05)
            assert (found.state, found.attempt, found.failures) == (State.COMPLETED, 1, 0)
            began.clear()
            go_on.clear()
            last = await enqueued(jobs)
            await began.wait()
            postgres.stop()  # and whoever ends does not wait for it
        postgres.start()
        async with machine(url) as jobs:
            assert (await jobs.owned(last.id, ANN)).state is State.PROCESSING  # its lease lapses


async def test_a_worker_that_was_taken_for_dead_is_given_tickets_again(
    server: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a database that was away for longer than others had patience."""
    began, go_on = asyncio.Event(), asyncio.Event()

    async def wait(running: Running) -> None:
        if running.job.priority == 0:
            began.set()
            await go_on.wait()

    async with working(server, {"transcribe": wait}, slots=2):
        first = await enqueued(server)
        await began.wait()
        async with server.database.write() as tx:
            await tx.execute(text("DELETE FROM procrastinate_workers"))
            await tx.execute(text("DELETE FROM procrastinate_jobs"))
        assert (await over(server, await enqueued(server, priority=1))).state is State.COMPLETED
        go_on.set()
        assert (await over(server, first)).attempt == 1
    gc.collect()  # what nobody has looked at is told then
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


def test_the_command_line_of_procrastinate_shows_tickets(postgres_url: str) -> None:
    async def queue() -> None:
        async with machine(postgres_url) as jobs:
            await enqueued(jobs)

    asyncio.run(queue())
    command = [sys.executable, "-m", "procrastinate", "--app", "whispercore_server.tickets.app", "shell", "list_jobs"]
    environment = os.environ | {"WHISPERCORE_DATABASE_URL": postgres_url}
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "whispercore.ticket on whispercore.ticket.transcribe - [todo]" in shown.stdout
