"""What is particular to PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from socket import IPPROTO_TCP, TCP_KEEPIDLE, TCP_USER_TIMEOUT, socket

import psutil
import pytest
from psycopg import OperationalError
from sqlalchemy import Connection, func, insert, make_url, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.databases import opened
from tests.postgres import Postgres, running
from tests.processes import lives
from tests.transaction_pool import transaction_pool
from tests.unit.database.test_migrations import differences, newest
from tests.waiting import until
from whispercore.clock import SystemClock
from whispercore.database.alone import alone
from whispercore.database.postgres import listening
from whispercore.database.session import Database
from whispercore.database.statement_limit import unlimited
from whispercore.database.tables import files, jobs, signing_keys
from whispercore.errors import DatabaseUnreachable, InvalidOption, SchemaTooNew, SchemaTooOld, Unavailable
from whispercore.jobs.tickets import tickets_app
from whispercore.testing import FakeClock
from whispercore.testing.clock import START

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    async with opened(postgres_url, FakeClock()) as database:
        yield database


async def put(tx: AsyncConnection, key: str) -> None:
    await tx.execute(insert(signing_keys).values(id=key, secret=key, created_at=START))


async def keys(database: Database) -> set[str]:
    return {row.id for row in await database.rows(select(signing_keys.c.id))}


async def test_a_block_is_whole_or_not_at_all(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as tx:
            await put(tx, "a")
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert await keys(database) == set()
    async with database.write() as tx:
        await put(tx, "b")
        assert await asyncio.create_task(keys(database)) == set()
        with pytest.raises(RuntimeError, match="wait for itself"):
            async with database.write():
                pass
    assert await keys(database) == {"b"}
    with pytest.raises(IntegrityError):
        await database.changed(update(signing_keys).values(secret=None).returning(signing_keys.c.id))
    assert await keys(database) == {"b"}


async def test_a_transaction_at_once_is_whole_or_not_at_all(database: Database) -> None:
    def both(tx: Connection, *ids: str) -> int:
        for id_ in ids:
            tx.execute(insert(signing_keys).values(id=id_, secret=id_, created_at=START))
        return len(ids)

    assert await database.at_once(lambda tx: both(tx, "a", "b")) == 2
    with pytest.raises(IntegrityError):
        await database.at_once(lambda tx: both(tx, "c", "a"))
    assert await keys(database) == {"a", "b"}


async def test_a_reader_sees_one_state(database: Database) -> None:
    query = select(func.count()).select_from(signing_keys)
    async with database.read() as reader:
        assert (await reader.execute(query)).scalar() == 0

        async def write() -> None:
            async with database.write() as tx:
                await put(tx, "a")

        await asyncio.create_task(write())
        assert (await reader.execute(query)).scalar() == 0
    assert await keys(database) == {"a"}


@pytest.mark.parametrize("steps", [1, 5])
async def test_whoever_is_cancelled_leaves_everything_in_order(database: Database, steps: int) -> None:
    async def add(number: int) -> None:
        async with database.write() as tx:
            await put(tx, f"a{number}")
            await put(tx, f"b{number}")

    tasks = [asyncio.create_task(add(number)) for number in range(30)]
    for number, task in enumerate(tasks):
        for _ in range(steps * (number % 3)):
            await asyncio.sleep(0.0001)
        if number % 4:
            task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(end) for end in ended} <= {asyncio.CancelledError, type(None)}
    found = await keys(database)
    assert {key[1:] for key in found if key[0] == "a"} == {key[1:] for key in found if key[0] == "b"}
    assert {str(number) for number, end in enumerate(ended) if end is None} <= {key[1:] for key in found}
    gc.collect()


async def test_one_at_a_time_where_there_is_no_row_to_wait_for(database: Database) -> None:
    async def make() -> None:
        async with database.write() as tx:
            await alone(tx, "the", "key")
            if (await tx.execute(select(signing_keys.c.id))).first() is None:
                await put(tx, "a")

    await asyncio.gather(*(make() for _ in range(10)))
    assert await keys(database) == {"a"}


async def test_sums_and_means_are_numbers(database: Database) -> None:
    row = {
        "owner_id": "a",
        "name": "n",
        "content_type": "audio/wav",
        "sha256": "",
        "state": "kept",
        "created_at": START,
    }
    async with database.write() as tx:
        await tx.execute(
            insert(files), [{**row, "id": str(size), "size_bytes": size, "created_at": START} for size in (1, 1 << 40)]
        )
    (found,) = await database.rows(select(func.sum(files.c.size_bytes), func.avg(files.c.size_bytes)))
    assert tuple(found) == (1 + (1 << 40), (1 + (1 << 40)) / 2)
    assert [type(one) for one in found] == [int, float]
    assert not any(isinstance(one, Decimal) for one in found)


async def test_times_are_those_of_the_database_also_when_ours_is_set(postgres_url: str) -> None:
    class Wrong(SystemClock):
        by = timedelta(hours=-1)

        def now(self) -> datetime:
            return super().now() + self.by

    async with opened(postgres_url, wrong := Wrong()) as database:
        for hours in (-1, 5):
            wrong.by = timedelta(hours=hours)
            for told in (database.now(), database.clock.now()):
                assert abs(told - SystemClock().now()) < timedelta(minutes=5)


async def test_claiming_reads_its_index_in_order(database: Database) -> None:
    from whispercore.jobs.queue import _whose_turn

    query = select(_whose_turn(("transcribe",), ("small",), database.now()))
    compiled = query.compile(dialect=next(iter(database.engines)).dialect, compile_kwargs={"literal_binds": True})
    async with database.write() as tx:
        await tx.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join((await tx.execute(text(f"EXPLAIN {compiled}"))).scalars())
    assert plan.count("ix_jobs_queue") == 3, plan
    assert "Sort" not in plan


async def test_tables_and_migrations_agree_and_two_that_upgrade_at_once_do_it_once(postgres: Postgres) -> None:
    name = postgres.new()
    async with Database(postgres.url(name)) as one, Database(postgres.url(name)) as two:
        with pytest.raises(SchemaTooOld, match=r"no tables yet.*whispercore db upgrade"):
            await one.prepare()
        await asyncio.gather(one.upgrade(), two.upgrade())
        await two.prepare()
        assert await one.revision() == newest()
        async with one.write() as tx:
            assert await tx.run_sync(differences) == []
            await tx.execute(text("UPDATE whispercore_version SET version_num = '0009'"))
        with pytest.raises(SchemaTooOld, match="has schema '0009'"):
            await two.prepare()
        async with one.write() as tx:
            await tx.execute(text("UPDATE whispercore_version SET version_num = '9999'"))
        for do in (two.prepare, two.upgrade):
            with pytest.raises(SchemaTooNew):
                await do()
    postgres.drop(name)


async def test_what_cannot_be_used_is_said_without_its_password(postgres: Postgres) -> None:
    for url, why in (
        ("postgresql://me:hush@127.0.0.1:1/x", "refused"),
        (f"postgresql://me:hush@/nowhere?host={postgres.folder}", "does not exist"),
    ):
        with pytest.raises(DatabaseUnreachable, match=why) as caught:
            await Database.open(url)
        assert "hush" not in f"{caught.value!r}{caught.value}"
    with postgres.connect() as connection:
        connection.execute("CREATE DATABASE latin ENCODING latin1 TEMPLATE template0")
    with pytest.raises(DatabaseUnreachable, match="UTF8 is needed"):
        await Database.open(postgres.url("latin"))
    with pytest.raises(InvalidOption) as refused:
        Database("postgresql://me:hush@db:x/y")
    assert "hush" not in str(refused.value)


async def test_a_server_that_was_restarted_is_used_again() -> None:
    with running() as server:
        async with Database(server.url("postgres"), clock=FakeClock()) as database:
            await database.upgrade()
            async with database.write() as tx:
                await put(tx, "a")
            cut = database.write()
            with pytest.raises(Unavailable):
                async with cut as tx:
                    await put(tx, "b")
                    await asyncio.to_thread(server.stop)
                    await tx.execute(select(jobs.c.id))
            with pytest.raises(Unavailable):
                await keys(database)
            await asyncio.to_thread(server.start)
            assert await keys(database) <= {"a"}


async def test_one_that_takes_no_changes_is_as_one_that_is_away() -> None:
    """As a primary whose place another server has taken. Connections that are there are given up."""
    with running() as server:
        one = server.new()
        nowhere = server.folder / "nowhere"
        either = f"postgresql://whispercore@/{one}?host={nowhere},{server.folder}"
        async with Database(either) as database:
            await database.upgrade()
            async with database.write() as tx:
                await put(tx, "a")
            server.take_changes(so=False)
            with pytest.raises(Unavailable, match="takes no changes") as refused:
                while True:  # until its processes have heard of it
                    await database.changed(update(signing_keys).values(created_at=START).returning(signing_keys.c.id))
            assert refused.value.retry_after is not None
            with pytest.raises(Unavailable):
                await keys(database)
            with pytest.raises(DatabaseUnreachable, match="read-only"):
                await Database.open(server.url(one))
            server.take_changes(so=True)
            while True:
                with contextlib.suppress(Unavailable):
                    assert await keys(database) == {"a"}
                    break


async def test_who_writes_tables_anew_and_is_stopped_leaves_no_one_waiting_for_ever(
    postgres: Postgres, postgres_template: str
) -> None:
    name = postgres.new(postgres_template)
    async with Database(postgres.url(name), connections=(1, 1)) as database:
        with postgres.connect(name) as connection, connection.transaction():
            connection.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
            compacting = asyncio.create_task(database.compact())
            cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ^@ 'VACUUM' AND datname = %s"
            with postgres.connect() as other:
                await until(lambda: other.execute(cancel, (name,)).fetchone() is not None)
            with pytest.raises(Unavailable):
                await compacting
        async with database.read() as tx:
            assert (await tx.execute(text("SHOW lock_timeout"))).scalar() == "15s"
    postgres.drop(name)


async def test_a_server_that_is_silent_is_given_up(postgres: Postgres, postgres_template: str) -> None:
    async with transaction_pool(postgres, postgres_template) as url:
        async with listening(make_url(url), name="tests") as connection:
            with socket(fileno=os.dup(connection.fileno())) as line:
                assert line.getsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT) == 30_000
                assert line.getsockopt(IPPROTO_TCP, TCP_KEEPIDLE) == 15
        async with listening(make_url(f"{url}?tcp_user_timeout=5000"), name="tests") as connection:
            with socket(fileno=os.dup(connection.fileno())) as line:
                assert line.getsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT) == 5000


@contextlib.contextmanager
def stopped(process_id: int) -> Iterator[None]:
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGCONT)


async def test_a_statement_that_is_not_answered_is_given_up(
    postgres: Postgres, postgres_template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a server that is paused, whose machine goes on to acknowledge what it is sent."""
    monkeypatch.setattr("whispercore.database.statement_limit.LONGEST_S", 0.5)
    name = postgres.new(postgres_template)
    ask = select(func.pg_backend_pid())
    async with Database(postgres.url(name), connections=(1, 1)) as database, asyncio.timeout(60):
        writes = database.write()
        with contextlib.ExitStack() as stack:
            with pytest.raises(Unavailable, match="cannot be reached"):
                async with writes as tx:
                    stack.enter_context(stopped((await tx.execute(ask)).scalar_one()))
                    await put(tx, "a")
            first = (await database.rows(ask))[0][0]
        with stopped(first):
            assert (await database.rows(ask))[0][0] != first, "it was looked at before it was used"
        assert await keys(database) == set()
        with unlimited():
            await database.rows(select(func.pg_sleep(1)))
        with pytest.raises(Unavailable, match="cannot be reached"):
            await database.rows(select(func.pg_sleep(30)))

        app = tickets_app(make_url(postgres.url(name)))
        async with app.open_async():
            which = "SELECT pg_backend_pid() AS pid"
            first = (await app.connector.execute_query_one_async(which))["pid"]
            with stopped(first):
                assert (await app.connector.execute_query_one_async(which))["pid"] != first

        async with listening(make_url(postgres.url(name)), "moved", name="tests") as connection:
            with stopped(connection.info.backend_pid), pytest.raises(OperationalError):
                await connection.execute("SELECT 1")
    postgres.drop(name)


def test_a_server_ends_with_whoever_started_it() -> None:
    script = "from tests.postgres import running\nwith running() as server:\n print(server.folder, flush=True), input()"
    command, pipe = [sys.executable, "-c", script], subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as starting:
        assert starting.stdout is not None
        folder = Path(starting.stdout.readline().strip())
        server = psutil.Process(int((folder / "data" / "postmaster.pid").read_text().split()[0]))
        starting.kill()
    asyncio.run(until(lambda: not folder.exists() and not lives(server)))


async def test_a_proxy_that_pools_transactions_is_found_at_the_start(
    postgres: Postgres, postgres_template: str
) -> None:
    async with transaction_pool(postgres, postgres_template) as url, Database(url) as database:
        await database.check()
        with pytest.raises(DatabaseUnreachable, match="pool_mode = transaction") as caught:
            await database.prepare()
    assert "have it pool sessions" in str(caught.value)
    async with Database(postgres.url(postgres_template)) as database:
        await database.prepare()
