# ruff: noqa: RUF001 (letters that look like others are what this is about)
"""What is written in the index, in SQL and in Python alike. In PostgreSQL all of it is written by Python."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from tests.unit.search.archive import Archive
from whispercore.database.search_tables import search_index
from whispercore.database.tables import jobs, search_letters
from whispercore.search.letters import LETTERS, SPACELESS, folded, is_spaceless, plainly


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Straße, ŒUVRE, Øre, ſo, ﬁn", "Strasse, oeUVRE, ore, so, fin"),
        ("Đường", "dường"),
        ("ΆΝΘΡΩΠΟΣ ὁ λόγος", "αΝΘΡΩΠΟσ ο λογοσ"),
        ("Ёлка", "елка"),
        ("مُحَمَّدٌ إلى ٢٠", "محمد الي 20"),
        ("שָׁלוֹם", "שלום"),
        ("我学习", " 我  学  习 "),
        ("ａｂ３", "ab3"),
        ("हिन्दी naïve", "हिन्दी naïve"),
    ],
)
def test_letters_that_the_tokenizer_keeps_apart(text: str, written: str) -> None:
    made = folded(text)
    assert made.text == written
    for index, letter in enumerate(made.text):
        original = text[made.place(index)]
        assert letter in (original, " ") or letter in LETTERS[original]


@pytest.mark.parametrize("code", [one for pair in SPACELESS for one in pair])
def test_both_ends_of_a_script_belong_to_it(code: int) -> None:
    assert is_spaceless(chr(code))
    assert not is_spaceless("a")


def test_plainly() -> None:
    assert plainly("Müller-Ängste.MP3") == "muller-angste.mp3"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_letters_of_the_database_are_ours(archive: Archive) -> None:
    rows = await archive.database.rows(select(search_letters.c.letter, search_letters.c.written))
    assert dict(map(tuple, rows)) == LETTERS


TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8") | st.sampled_from("".join(LETTERS)), max_size=60)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXTS, min_size=1, max_size=20))
async def test_the_triggers_write_the_same(archive: Archive, texts: list[str]) -> None:
    job_id = await archive.put(*texts)
    async with archive.database.write() as tx:
        written = (await tx.execute(select(search_index.c.text).order_by(search_index.c.rowid))).scalars().all()
        assert written == [folded(text).text for text in texts]
        await tx.execute(delete(jobs).where(jobs.c.id == job_id))
