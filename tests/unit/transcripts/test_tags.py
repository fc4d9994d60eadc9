"""Tags: few, short, and the same in whatever case."""

from __future__ import annotations

import pytest

from tests.unit.transcripts.conftest import World
from whispercore.database.page import Slice
from whispercore.errors import InvalidRequest, NotFound
from whispercore.jobs.job import JobFilter
from whispercore.testing.making_jobs import ADMIN, ANN, BOB, enqueued
from whispercore.transcripts.tags import LONGEST_TAG, MOST_TAGS, TagUse, key_of


async def test_a_job_has_the_tags_that_it_was_given_last(world: World) -> None:
    job = await enqueued(world.jobs)
    assert await world.tags.put(job, ANN, [" Board\nmeeting", "2026", "board MEETING"]) == ("2026", "Board meeting")
    assert await world.tags.of(job.id) == ("2026", "Board meeting")
    assert await world.tags.put(job, ANN, ["Draft"]) == ("Draft",)
    assert await world.tags.put(job, ANN, ["Draft"]) == ("Draft",)
    assert await world.tags.put(job, ANN, []) == ()
    assert await world.tags.of(job.id) == ()
    assert [who for _, who, _ in await world.noted("tags_changed")] == ["ann", "ann", "ann"], "not what changes nothing"


async def test_jobs_are_found_by_their_tags(world: World) -> None:
    mine = [await enqueued(world.jobs) for _ in range(3)]
    theirs = await enqueued(world.jobs, owner_id="bob")
    await world.tags.put(mine[0], ANN, ["Straße", "x"])
    await world.tags.put(mine[2], ANN, ["STRASSE"])
    await world.tags.put(theirs, BOB, ["straße", "secret"])

    async def found(tag: str, caller: object = ANN) -> list[str]:
        page = await world.jobs.listed(caller, JobFilter(tag=key_of(tag)))  # type: ignore[arg-type]
        return [one.id for one in page.rows]

    assert await found("strasse") == [mine[2].id, mine[0].id]
    assert await found("X") == [mine[0].id]
    assert await found("secret") == []
    assert await found("%") == []
    assert await found("straße", ADMIN) == [theirs.id, mine[2].id, mine[0].id]
    assert (await world.tags.page(ANN, Slice())).rows == (TagUse(name="STRASSE", jobs=2), TagUse(name="x", jobs=1))
    assert (await world.tags.page(ANN, Slice(1, 1))).total == 2
    assert [one.name for one in (await world.tags.page(BOB, Slice())).rows] == ["secret", "straße"]
    assert sum(one.jobs for one in (await world.tags.page(ADMIN, Slice())).rows) == 5
    await world.jobs.delete(mine[2].id, ANN)
    assert (await world.tags.page(ANN, Slice())).rows[0] == TagUse(name="Straße", jobs=1)


@pytest.mark.parametrize(
    ("tags", "field"),
    [
        (["ok", " \t"], "tags[1]"),
        (["\u200b"], "tags[0]"),
        (["x" * (LONGEST_TAG + 1)], "tags[0]"),
        ([f"tag {number}" for number in range(MOST_TAGS + 1)], "tags"),
    ],
)
async def test_what_cannot_be_a_tag_is_told_and_changes_nothing(tags: list[str], field: str, world: World) -> None:
    job = await enqueued(world.jobs)
    await world.tags.put(job, ANN, ["kept"])
    with pytest.raises(InvalidRequest) as caught:
        await world.tags.put(job, ANN, tags)
    assert [one.field for one in caught.value.problems] == [field]
    assert await world.tags.of(job.id) == ("kept",)


async def test_a_job_that_is_gone_gets_no_tags(world: World) -> None:
    job = await enqueued(world.jobs)
    await world.jobs.delete(job.id, ANN)
    with pytest.raises(NotFound):
        await world.tags.put(job, ANN, ["late"])
