"""The contract of events, within one process and between several."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.databases import opened
from tests.postgres import Postgres
from whispercore.events import Events, LocalEvents
from whispercore.jobs.postgres_events import PostgresEvents
from whispercore.testing.events_contract import EventsContract


class TestLocal(EventsContract):
    @pytest.fixture
    def events(self) -> Events:
        return LocalEvents()

    def test_who_has_left_is_forgotten(self) -> None:
        events = LocalEvents()
        with events.subscribe("a"), events.subscribe("a"):
            pass
        assert events._readers == {}


class TestPostgres(EventsContract):
    @pytest.fixture
    async def events(self, postgres_url: str) -> AsyncIterator[PostgresEvents]:
        async with opened(postgres_url) as database:
            events = PostgresEvents(database)
            async with events.opened():
                await events.heard()
                yield events

    async def test_other_processes_hear_of_it(self, events: PostgresEvents, postgres_url: str) -> None:
        async with opened(postgres_url) as database:
            elsewhere = PostgresEvents(database)
            async with elsewhere.opened():
                await elsewhere.heard()
                with elsewhere.subscribe("a") as there, events.subscribe("b") as here:
                    for _ in range(3):
                        events.publish("a")
                        elsewhere.publish("b")
                        async with asyncio.timeout(60):
                            await there.moved()
                            await here.moved()

    async def test_what_was_published_last_is_sent_too(self, events: PostgresEvents, postgres_url: str) -> None:
        with events.subscribe("a") as here:
            async with opened(postgres_url) as database:
                ending = PostgresEvents(database)
                async with ending.opened():
                    ending.publish("a")
            async with asyncio.timeout(60):
                await here.moved()

    async def test_one_is_woken_once_by_what_he_hears_of_himself(self, events: PostgresEvents) -> None:
        with events.subscribe("a") as here, events.subscribe("b") as later:
            events.publish("a")
            await here.moved()
            waiting = asyncio.create_task(here.moved())
            while events._own or events._unsent:  # noqa: ASYNC110 (it sets no event)
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)
            assert not waiting.done()
            waiting.cancel()
            events.publish("b")
            await later.moved()

    async def test_a_connection_that_was_cut_is_made_anew(
        self, events: PostgresEvents, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("whispercore.jobs.postgres_events._AGAIN_S", 0)
        with postgres.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'whispercore events'"
            )
            while events._listening.is_set():  # noqa: ASYNC110 (it sets no event)
                await asyncio.sleep(0.001)
            await events.heard()
        with events.subscribe("a") as here:
            with postgres.connect(str(next(iter(events._database.engines)).url.database)) as other:
                other.execute("SELECT pg_notify('whispercore_moved', 'a')")
            async with asyncio.timeout(60):
                await here.moved()
