"""The index of PostgreSQL follows whatever is written to segments; its words are those of ``words_of``."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, text, update

from tests.unit.search.archive import Archive
from whispercore.database.search_tables import search_vector
from whispercore.database.tables import segments
from whispercore.search.letters import SPACELESS
from whispercore.search.words import LONGEST, words_of
from whispercore.testing.making_jobs import ANN, BOB

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

_SOME = [chr(first) for first, _ in SPACELESS] + list("aZ09 .-'\"\\%Äßœ\u0301ﬁςёй\u0130\u0131ДएहἈ\u064b")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.text(st.sampled_from(_SOME) | st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@example(said="x" * (LONGEST + 5))
@example(said="a.b@example.org is 3.5% of it's \\ 'all'")
async def test_both_cut_the_same_words(archive: Archive, said: str) -> None:
    query = text("SELECT lexeme, positions FROM unnest(search_words(:said))")
    async with archive.database.read() as tx:
        rows = (await tx.execute(query, {"said": said})).all()
    places = sorted((place, row.lexeme) for row in rows for place in row.positions)
    assert [word for _, word in places] == [word.text for word in words_of(said)]


async def test_segments_that_are_written_anew(archive: Archive) -> None:
    job_id = await archive.put("one", "two", "three")
    here = segments.c.job_id == job_id
    async with archive.database.write() as tx:
        await tx.execute(update(segments).where(here, segments.c.position == 1).values(text="zwei"))
        await tx.execute(insert(segments).values(job_id=job_id, position=3, start_s=0, end_s=1, text="vier"))
        query = select(search_vector).where(here).order_by(segments.c.position)
        assert (await tx.execute(query)).scalars().all() == ["'one':1", "'zwei':1", "'three':1", "'vier':1"]
    assert await archive.ids("zwei vier -two") == {job_id}
    await archive.jobs.delete(job_id, ANN)
    assert await archive.ids("zwei") == set()


async def test_a_place_that_cannot_be_numbered_is_not_found(archive: Archive) -> None:
    job_id = await archive.put("one")
    async with archive.database.write() as tx:
        for position in (1 << 20, -1):
            await tx.execute(insert(segments).values(job_id=job_id, position=position, start_s=0, end_s=1, text="far"))
    assert await archive.ids("far") == set()
    assert await archive.ids("one", BOB) == set()
