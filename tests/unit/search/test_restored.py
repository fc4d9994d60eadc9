"""A backup has the index in it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import update

from tests.unit.backup.a_house import ADMIN, house, restore
from tests.unit.search.archive import Archive
from whispercore.database.tables import segments
from whispercore.search.search import IndexSearch


async def test_what_is_restored_is_found_and_goes_on_being_kept(tmp_path: Path) -> None:
    async with house(tmp_path / "old") as here:
        job_id = await Archive(here.database, here.jobs, IndexSearch(here.database)).put("the zebra", "学习")
        record = await here.backups.create(ADMIN)
        await here.backups.close()
        path = here.archives / f"{record.id}.tar"
    restore(path, tmp_path / "new")
    async with house(tmp_path / "new") as there:
        archive = Archive(there.database, there.jobs, IndexSearch(there.database))
        assert await archive.ids("zebra 学习") == {job_id}
        async with there.database.write() as tx:
            await tx.execute(update(segments).where(segments.c.text == "the zebra").values(text="the okapi"))
        assert await archive.ids("zebra") == set()
        assert await archive.ids("okapi") == {job_id}
