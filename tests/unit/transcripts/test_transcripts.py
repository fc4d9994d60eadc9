"""Versions: nothing is lost, and everybody reads the newest."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve
from sqlalchemy import select

from tests.unit.transcripts.conftest import World
from whispercore.database.page import Slice
from whispercore.database.tables import segments, transcript_versions
from whispercore.errors import Conflict, InvalidRequest, NotFound, StaleVersion
from whispercore.testing.making_jobs import ANN, BOB, claimed, enqueued, said, transcript
from whispercore.transcripts.operations import Merge, Operation, Remove, SetSpeaker, SetText, Split
from whispercore.transcripts.snapshot import Kept, packed, unpacked
from whispercore.transcripts.transcripts import MOST_VERSIONS
from whispercore.transcripts.version import Version

ALL = Slice(0, 1000)


async def test_a_transcript_that_nobody_has_touched_has_one_version(world: World) -> None:
    job = await world.job()
    outline = await world.transcripts.outline(job)
    first = Version(
        number=1,
        origin="transcribed",
        author_id=None,
        author=None,
        created_at=world.clock.now(),
        note=None,
        restored_from=None,
        segments=3,
    )
    assert (outline.newest, outline.language, outline.duration_s, outline.model) == (first, "en", 90.0, "small")
    assert (await world.transcripts.versions(job, ALL)).rows == (first,)
    assert (await world.transcripts.versions(job, Slice(1, 5))).rows == ()
    assert await world.database.rows(select(transcript_versions.c.number)) == []


async def test_an_edit_is_what_everybody_reads(world: World) -> None:
    job = await world.job()
    world.clock.advance(5)
    operations: list[Operation] = [SetText(segment=0, text="Said nothing"), SetSpeaker(segment=0, speaker="Bob")]
    made = await world.transcripts.edit(job, ANN, 1, operations, note=" it was\n unclear ")
    assert (made.version, made.segments) == (2, 3)
    assert await world.texts(job) == ["Said nothing", "said 1", "said 2"]
    assert await world.preview(job) == "Said nothing said 1 said 2"
    assert [one.speaker for _, one in await world.jobs.segments(job)] == ["Bob", "Zoë", "Zoë"]
    second, first = (await world.transcripts.versions(job, ALL)).rows
    assert (second.author_id, second.author, second.note) == ("ann", "ann", "it was unclear")
    assert (second.created_at - first.created_at).total_seconds() == 5
    assert (first.author, first.origin, second.origin) == (None, "transcribed", "edited")
    assert await world.noted("transcript_edited") == [("transcript_edited", "ann", '{"version":2}')]


async def test_each_version_can_be_read_compared_and_restored(world: World) -> None:
    job = await world.job()
    whole = await world.jobs.segments(job)
    await world.transcripts.edit(job, ANN, 1, [Split(segment=0, at=4)])
    await world.transcripts.edit(job, BOB, 2, [Remove(segment=3), Remove(segment=2)])
    assert await world.texts(job) == ["said", "0"]
    assert [(await world.transcripts.segments(job, ALL, number)).total for number in (None, 1, 2, 3)] == [2, 3, 4, 2]
    read = await world.transcripts.segments(job, Slice(1, 1), 1)
    assert (read.version, read.segments, read.total) == (1, whole[1:2], 3)
    assert (await world.transcripts.segments(job, Slice(1, 1))).segments[0][0] == 1
    assert (await world.transcripts.segments(job, Slice(9, 1))).segments == ()
    made = await world.transcripts.restore(job, ANN, 1, 3, note="all wrong")
    assert made.version == 4
    assert await world.jobs.segments(job) == whole
    assert await world.preview(job) == "said 0 said 1 said 2"
    newest = (await world.transcripts.outline(job)).newest
    assert (newest.origin, newest.restored_from, newest.segments) == ("restored", 1, 3)
    difference = await world.transcripts.difference(job, 1, 4, ALL)
    assert difference.total == 0
    difference = await world.transcripts.difference(job, None, None, Slice(0, 2))
    assert (difference.before, difference.after, difference.total) == (3, 4, 3)
    assert (difference.added, difference.changed, len(difference.changes)) == (2, 1, 2)
    assert [kind for kind, _, _ in await world.noted("transcript_edited", "transcript_restored")] == [
        "transcript_edited",
        "transcript_edited",
        "transcript_restored",
    ]


async def test_what_changes_nothing_makes_no_version(world: World) -> None:
    job = await world.job()
    assert (await world.transcripts.edit(job, ANN, 1, [SetText(segment=0, text="said 0")])).version == 1
    assert (await world.transcripts.restore(job, ANN, 1, 1)).version == 1
    assert await world.noted("transcript_edited", "transcript_restored") == []


async def test_who_is_too_late_is_told_so(world: World) -> None:
    job = await world.job()
    done = await asyncio.gather(
        *(
            world.transcripts.edit(job, who, 1, [SetText(segment=number, text=who.username)])
            for number, who in enumerate((ANN, BOB))
        ),
        return_exceptions=True,
    )
    (late,) = (one for one in done if isinstance(one, BaseException))
    assert isinstance(late, StaleVersion)
    assert (late.current_version, str(late)) == (2, "version 1 is not the newest, 2 is: read it and try again")
    assert sum(text.startswith("said") for text in await world.texts(job)) == 2
    for call in (
        world.transcripts.edit(job, ANN, 3, [Remove(segment=0)]),
        world.transcripts.rename(job, ANN, 1, "Zoë", "Zoe"),
        world.transcripts.restore(job, ANN, 1, 1),
    ):
        with pytest.raises(StaleVersion):
            await call


async def test_one_that_cannot_be_done_leaves_all_as_it_was(world: World) -> None:
    job = await world.job()
    with pytest.raises(InvalidRequest, match=r"operations\[1\]\.segment"):
        await world.transcripts.edit(job, ANN, 1, [Remove(segment=0), Remove(segment=2)])
    with pytest.raises(InvalidRequest, match="no segment is of a speaker"):
        await world.transcripts.rename(job, ANN, 1, "Nobody", "Ann")
    with pytest.raises(InvalidRequest, match="name: nothing of it can be seen"):
        await world.transcripts.rename(job, ANN, 1, "Zoë", "\t")
    assert len(await world.texts(job)) == 3
    assert (await world.transcripts.outline(job)).newest.number == 1


async def test_a_speaker_gets_another_name_everywhere(world: World) -> None:
    job = await world.job()
    assert [(one.name, one.segments) for one in await world.transcripts.speakers(job)] == [(None, 1), ("Zoë", 2)]
    await world.transcripts.rename(job, ANN, 1, "Zoë", "Dr Zoë")
    await world.transcripts.rename(job, ANN, 2, None, "Dr Zoë")
    (only,) = await world.transcripts.speakers(job)
    assert (only.name, only.segments, only.speaks_s, only.first_s) == ("Dr Zoë", 3, 3.75, 0.0)


async def test_unfinished_and_deleted_jobs(world: World) -> None:
    waiting = await enqueued(world.jobs)
    for call in (
        world.transcripts.outline(waiting),
        world.transcripts.segments(waiting, ALL),
        world.transcripts.edit(waiting, ANN, 1, [Remove(segment=0)]),
        world.transcripts.difference(waiting, 1, 2, ALL),
    ):
        with pytest.raises(Conflict, match="the job is queued; there is a transcript once it is completed"):
            await call
    await (await claimed(world.jobs)).complete(transcript(1))
    job = await world.jobs.owned(waiting.id, ANN)
    await world.transcripts.edit(job, ANN, 1, [SetText(segment=0, text="x")])
    await world.jobs.delete(job.id, ANN)
    assert await world.database.rows(select(transcript_versions.c.number)) == []
    with pytest.raises(NotFound):
        await world.transcripts.edit(job, ANN, 2, [Remove(segment=0)])


async def test_versions_that_are_not_there(world: World) -> None:
    job = await world.job()
    for number in (2, 7):
        with pytest.raises(NotFound) as caught:
            await world.transcripts.segments(job, ALL, number)
        assert (caught.value.what, caught.value.id) == ("version", str(number))
    with pytest.raises(NotFound):
        await world.transcripts.restore(job, ANN, 2, 1)
    with pytest.raises(NotFound):
        await world.transcripts.difference(job, 1, 2, ALL)


async def test_the_oldest_go_but_not_the_first(world: World) -> None:
    job = await world.job()
    for number in range(1, MOST_VERSIONS + 3):
        await world.transcripts.edit(job, ANN, number, [SetText(segment=0, text=f"text {number}")])
    kept = [one.number for one in (await world.transcripts.versions(job, ALL)).rows]
    assert len(kept) == MOST_VERSIONS
    assert kept[:2] + kept[-2:] == [MOST_VERSIONS + 3, MOST_VERSIONS + 2, 5, 1]
    with pytest.raises(NotFound):
        await world.transcripts.restore(job, ANN, 4, MOST_VERSIONS + 3)
    await world.transcripts.restore(job, ANN, 1, MOST_VERSIONS + 3)
    assert (await world.texts(job))[0] == "said 0"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_as_few_rows_as_can_be_are_written(world: World) -> None:
    """The search index is written with each of them."""
    job = await world.job(transcript(50))
    written: list[str] = []
    async with world.database.write() as tx:
        for verb in ("INSERT", "DELETE"):
            await tx.exec_driver_sql(
                f"CREATE TRIGGER seen_{verb} AFTER {verb} ON segments BEGIN SELECT note('{verb}'); END"
            )
        connection = (await tx.get_raw_connection()).driver_connection
        assert connection is not None
        await connection.create_function("note", 1, written.append)
    await world.transcripts.edit(job, ANN, 1, [SetText(segment=7, text="x"), SetSpeaker(segment=9, speaker="x")])
    assert sorted(written) == ["DELETE", "DELETE", "INSERT", "INSERT"]
    written.clear()
    await world.transcripts.edit(job, ANN, 2, [Split(segment=47, at=4)])
    assert (written.count("DELETE"), written.count("INSERT")) == (3, 4)
    written.clear()
    await world.transcripts.edit(job, ANN, 3, [Merge(segment=47)])
    await world.transcripts.edit(job, ANN, 4, [Remove(segment=49)])
    assert (written.count("DELETE"), written.count("INSERT")) == (4 + 1, 3)
    places = await world.database.rows(select(segments.c.position).order_by(segments.c.position))
    assert [row.position for row in places] == list(range(49))


def test_a_snapshot_is_what_was_there() -> None:
    rows = tuple(Kept.keep(said(number)) for number in range(4))
    assert unpacked(packed(rows)) == rows
    assert [one.segment for one in rows] == [said(number) for number in range(4)]
    assert unpacked(packed(())) == ()


async def test_the_language_of_a_segment_is_kept_in_every_version(world: World) -> None:
    whole = transcript(3)
    codes = ("en", "de", None)
    mixed = evolve(
        whole,
        segments=tuple(
            evolve(one, language=code, language_probability=0.75 if code else None)
            for one, code in zip(whole.segments, codes, strict=True)
        ),
    )
    job = await world.job(mixed)
    assert await world.jobs.transcript(job) == mixed
    await world.transcripts.edit(job, ANN, 1, [SetText(segment=1, text="another")])
    edited = await world.jobs.transcript(job)
    assert edited is not None
    assert tuple(one.language for one in edited.segments) == codes
    await world.transcripts.restore(job, ANN, 1, 2)
    assert await world.jobs.transcript(job) == mixed
