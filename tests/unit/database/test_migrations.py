"""The schema in the code and the one that migrations make are the same."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from tests.postgres import Postgres
from whispercore.backup.snapshot import Snapshot
from whispercore.database.migrating import OURS, Migrations, known_revisions, newest_revision
from whispercore.database.search_tables import is_compared
from whispercore.database.session import Database
from whispercore.database.tables import schema
from whispercore.errors import FileDamaged, SchemaTooNew
from whispercore.files.files import Files
from whispercore.files.obstore_blobs import ObstoreBlobs
from whispercore.jobs.table import Jobs
from whispercore.testing.making_jobs import ADMIN, ANN, KIND, claimed


def differences(connection: Connection) -> list[object]:
    options = {"version_table": "whispercore_version", "include_name": is_compared}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, schema))


def newest() -> str | None:
    return ScriptDirectory.from_config(OURS.config()).get_current_head()


def test_versions_are_in_the_order_of_their_names() -> None:
    scripts = ScriptDirectory.from_config(OURS.config()).walk_revisions()
    assert known_revisions(OURS) == tuple(script.revision for script in scripts)[::-1]
    assert newest_revision(OURS) == newest()


def first_version(connection: Connection) -> None:
    command.upgrade(OURS.config(connection), "0001")


def modes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


async def test_tables_and_migrations_agree() -> None:
    async with Database("sqlite+aiosqlite://") as database:
        await database.upgrade()
        async with database.write() as tx:
            assert await tx.run_sync(differences) == []
            indexes = text("SELECT sql FROM sqlite_master WHERE type = 'index'")
            made = await tx.run_sync(lambda sync: sync.execute(indexes).scalars().all())
    partial = {line for line in made if line and "WHERE" in line}
    assert len(partial) == sum(
        "sqlite" in index.dialect_kwargs or bool(index.dialect_options["sqlite"]["where"] is not None)
        for table in schema.tables.values()
        for index in table.indexes
    )


async def test_a_database_of_the_first_version_keeps_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    async with Database(f"sqlite+aiosqlite:///{path}") as database:
        async with database.write() as tx:
            await tx.run_sync(first_version)
            await tx.execute(
                text(
                    "INSERT INTO jobs (id, owner_id, kind, state, progress, priority, fair_tag, cost, options,"
                    " payload_version, windows_done, done_s, attempt, failures, max_retries, created_at)"
                    " VALUES ('j', 'ann', 'transcribe', 'queued', 0, 0, 0, 1, '{}', 1, 0, 0, 1, 0, 3, 1)"
                )
            )
        await database.upgrade()
        async with database.write() as tx:
            assert await tx.run_sync(differences) == []
        jobs = Jobs(database)
        assert [job.id for job in (await jobs.listed(ANN)).rows] == ["j"]
        claim = await claimed(jobs)
        assert (claim.job.id, claim.job.losses) == ("j", 0)
    assert [name for name in modes(tmp_path) if "before" in name] == ["jobs.db.before-whispercore-0001"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_jobs_that_wait_keep_their_order_in_one_queue_for_all_priorities(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'jobs.db'}"
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.url(server.new())
    async with Database(url) as database:
        async with database.write() as tx:
            await tx.run_sync(lambda connection: command.upgrade(OURS.config(connection), "0024"))
            for job_id, owner, state, priority, tag in (
                ("running", "ann", "processing", 2, 70_000.0),
                ("second", "ann", "queued", 0, 10.0),
                ("first", "ann", "queued", 2, 70_000.0),
                ("others", "bob", "queued", 0, 5_000.0),
                ("held", "bob", "queued", 2, 1e300),
            ):
                await tx.execute(
                    text(
                        "INSERT INTO jobs (id, owner_id, kind, state, progress, priority, fair_tag, cost, options,"
                        " payload_version, windows_done, done_s, attempt, failures, losses, max_retries, created_at,"
                        " next_attempt_at) VALUES (:id, :owner, 'transcribe', :state, 0, :priority, :tag, 60, '{}', 1,"
                        " 0, 0, 1, 0, 0, 3, 1, :later)"
                    ),
                    {
                        "id": job_id,
                        "owner": owner,
                        "state": state,
                        "priority": priority,
                        "tag": tag,
                        "later": 253370764800000000 if job_id == "held" else None,
                    },
                )
        await database.upgrade()
        jobs = Jobs(database)
        standing = [(await jobs.standing(await jobs.owned(one, ADMIN))).position for one in ("first", "others", "held")]
        assert standing == [1, 2, 4]
        assert [(await claimed(jobs)).job.id for _ in range(3)] == ["first", "others", "second"]
        assert await jobs.queue.claim("w", (KIND,)) is None


async def test_parts_of_an_older_version_are_still_compared(tmp_path: Path) -> None:
    path, data = tmp_path / "jobs.db", b"what came in"
    blobs = ObstoreBlobs.on_disk(tmp_path / "files")
    await blobs.put("files/f/0", data)
    async with Database(f"sqlite+aiosqlite:///{path}") as database:
        async with database.write() as tx:
            await tx.run_sync(lambda connection: command.upgrade(OURS.config(connection), "0003"))
            values = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
            await tx.execute(
                text("INSERT INTO files VALUES ('f', 'ann', 'a.wav', 'audio/wav', :size, :sha256, 'kept', 1)"), values
            )
            await tx.execute(text("INSERT INTO parts VALUES ('f', 0, :size, :sha256, :size)"), values)
        with Snapshot(path) as snapshot:
            before = list(snapshot.parts())
        await database.upgrade()
        with Snapshot(path) as snapshot:
            assert list(snapshot.parts()) == before
        files = Files(database, blobs, spool=tmp_path / "spool", reserve_bytes=0)
        assert b"".join([piece async for piece in files.read("f")]) == data
        async with files.local_copy("f") as parts:
            assert parts.paths[0].read_bytes() == data
        await blobs.put("files/f/0", data.upper(), mode="overwrite")
        with pytest.raises(FileDamaged):
            await anext(files.read("f"))
        with pytest.raises(FileDamaged):
            async with files.local_copy("f"):
                pass
        await files.close()


async def test_upgrading_twice_changes_nothing_and_copies_nothing(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    for _ in range(2):
        async with Database(f"sqlite+aiosqlite:///{path}") as database:
            await database.upgrade()
    assert modes(tmp_path) == {"jobs.db": 0o600}


async def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    async with Database(f"sqlite+aiosqlite:///{path}") as database:
        await database.upgrade()
        async with database.write() as tx:
            await tx.execute(text("UPDATE whispercore_version SET version_num = '9999'"))
        with pytest.raises(SchemaTooNew, match="9999"):
            await database.upgrade()
        async with database.read() as tx:
            assert (await tx.execute(text("SELECT version_num FROM whispercore_version"))).scalar() == "9999"


ENV = """
from alembic import context
context.configure(
    connection=context.config.attributes["connection"], version_table=context.config.attributes["version_table"]
)
with context.begin_transaction():
    context.run_migrations()
"""
VERSION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = {revision!r}, {before!r}, None, None
def upgrade():
    {upgrade}
"""


class Plugin:
    """A plugin with tables of its own, which gets new versions."""

    def __init__(self, folder: Path) -> None:
        self.migrations = Migrations("demo", folder)
        (folder / "versions").mkdir(parents=True)
        (folder / "env.py").write_text(ENV)

    def version(self, revision: str, before: str | None, upgrade: str) -> None:
        text = VERSION.format(revision=revision, before=before, upgrade=upgrade)
        (self.migrations.folder / "versions" / f"v{revision}.py").write_text(text)


async def test_a_plugin_has_versions_of_its_own_and_a_file_is_copied_before_it_is_changed(tmp_path: Path) -> None:
    plugin, data = Plugin(tmp_path / "plugin"), tmp_path / "data"
    plugin.version("a1", None, "op.create_table('demo_notes', sa.Column('note', sa.Text))")
    async with Database(f"sqlite+aiosqlite:///{data}/jobs.db") as database:
        await database.upgrade(plugin.migrations)
        async with database.write() as tx:
            await tx.execute(text("INSERT INTO demo_notes VALUES ('before')"))
        plugin.version("a2", "a1", "op.add_column('demo_notes', sa.Column('by', sa.Text, server_default='eve'))")
        await database.upgrade(plugin.migrations)
        async with database.read() as tx:
            assert tuple((await tx.execute(text("SELECT * FROM demo_notes"))).one()) == ("before", "eve")
            version = await tx.execute(text("SELECT version_num FROM demo_version"))
            assert version.scalar() == "a2"
    copies = [name for name in modes(data) if "before" in name]
    assert copies == ["jobs.db.before-demo-a1"]
    assert modes(data)[copies[0]] == 0o600
    with closing(sqlite3.connect(data / copies[0])) as copy:
        assert copy.execute("SELECT * FROM demo_notes").fetchall() == [("before",)]


async def test_a_version_that_fails_changes_nothing(tmp_path: Path) -> None:
    plugin = Plugin(tmp_path / "plugin")
    plugin.version("a1", None, "op.create_table('demo_notes', sa.Column('note', sa.Text)); op.execute('nonsense')")
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/jobs.db") as database:
        with pytest.raises(OperationalError, match="nonsense"):
            await database.upgrade(plugin.migrations)
        async with database.read() as tx:
            assert (await tx.execute(text("SELECT name FROM sqlite_master"))).all() == []


async def test_two_that_upgrade_at_once_do_it_once(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/jobs.db"
    async with Database(url) as one, Database(url) as two:
        await asyncio.gather(one.upgrade(), two.upgrade())
        async with two.read() as tx:
            assert (await tx.execute(text("SELECT version_num FROM whispercore_version"))).all() == [(newest(),)]
