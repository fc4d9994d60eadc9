# ruff: noqa: RUF001 (letters that look like others are what this is about)
"""Who finds what, in which order, and how it is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings

from tests.unit.search.archive import Archive
from tests.unit.search.test_query import TEXTS
from whispercore.database.page import Page, Slice
from whispercore.people.caller import Caller
from whispercore.search.excerpt import LONGEST
from whispercore.search.statements import SearchFilter
from whispercore.testing.making_jobs import ADMIN, ANN, BOB
from whispercore.transcript import Segment, Word

EVE = Caller(user_id="eve", username="eve", scopes=frozenset())


async def test_words_phrases_beginnings_and_operators(archive: Archive) -> None:
    both = await archive.put("we speak of machine learning", "and of other things")
    apart = await archive.put("the machine is here", "we are learning")
    neither = await archive.put("we cook, and have learned it", "of other things")
    assert await archive.ids("machine learning") == {both, apart}
    assert await archive.ids('"machine learning"') == {both}
    assert await archive.ids("learn*") == {both, apart, neither}
    assert await archive.ids("machine OR cook") == {both, apart, neither}
    assert await archive.ids("we -machine") == {neither}
    assert await archive.ids("(machine OR cook) NOT things") == {apart}
    assert await archive.ids("nothing") == set()
    assert [one.document.job_id for one in await archive.find("machine learning")] == [both, apart]


@pytest.mark.parametrize(
    ("said", "asked", "marked"),
    [
        ("我们今天讨论机器学习的应用", "机器学习", "我们今天讨论<mark>机器学习</mark>的应用"),
        ("我们今天讨论机器学习的应用", "学", "我们今天讨论机器<mark>学</mark>习的应用"),
        ("今日は東京タワーに行きます", "東京タワー", "今日は<mark>東京タワー</mark>に行きます"),
        ("วันนี้อากาศดีมาก", "อากาศ", "วันนี้<mark>อากาศ</mark>ดีมาก"),
        ("우리는 학교에서 배운다", "학교", "우리는 <mark>학교</mark>에서 배운다"),
        ("ذهب مُحَمَّدٌ إلى المدرسة", "محمد الى", "ذهب <mark>مُحَمَّدٌ</mark> <mark>إلى</mark> المدرسة"),
        ("Под ёлкой лежит подарок", "елкой ПОДАРОК", "Под <mark>ёлкой</mark> лежит <mark>подарок</mark>"),
        ("Ο άνθρωπος και ο λόγος", "ΑΝΘΡΩΠΟΣ λογος", "Ο <mark>άνθρωπος</mark> και ο <mark>λόγος</mark>"),
        ("Die Größe der Übung", "grosse ubung", "Die <mark>Größe</mark> der <mark>Übung</mark>"),
        ("Die Grosse der Ubung", "Größe Übung", "Die <mark>Grosse</mark> der <mark>Ubung</mark>"),
        ("die U\u0308bung", "übung", "die <mark>U\u0308bung</mark>"),
        ("Con đường đến Việt Nam", "duong viet", "Con <mark>đường</mark> đến <mark>Việt</mark> Nam"),
        ("हिन्दी में बात", "हिन्दी", "<mark>हिन्दी</mark> में बात"),
        (
            'it\'s a <b>bold</b> & "daring" idea',
            "bold",
            "it&#x27;s a &lt;b&gt;<mark>bold</mark>&lt;/b&gt; &amp; &quot;daring&quot; idea",
        ),
        ("<mark>already</mark>", "mark", "&lt;<mark>mark</mark>&gt;already&lt;/<mark>mark</mark>&gt;"),
    ],
)
async def test_scripts_and_diacritics(archive: Archive, said: str, asked: str, marked: str) -> None:
    await archive.put("something else", said)
    await archive.put("something else")
    assert await archive.marked(asked) == [marked]
    ((found,),) = [one.matches for one in await archive.find(asked)]
    assert (found.text, found.position, found.start_s, found.end_s, found.confidence) == (said, 1, 5.0, 10.0, 0.9)


async def test_a_run_of_characters_is_no_bag_of_them(archive: Archive) -> None:
    await archive.put("习学 器 机")
    assert await archive.ids("学习") == set()
    assert await archive.ids("हन्दी") == set()


async def test_a_long_phrase_is_cut_around_the_match(archive: Archive) -> None:
    await archive.put("word " * 200 + "needle & pin " + "word " * 200)
    await archive.put("x" * 500 + "针" + "字" * 500)
    ((latin,),) = [one.matches for one in await archive.find("needle")]
    assert len(latin.text) <= LONGEST + 2
    assert latin.text.startswith("…word ")
    assert latin.text.endswith(" word…")
    assert " <mark>needle</mark> &amp; pin " in latin.highlighted
    ((chinese,),) = [one.matches for one in await archive.find("针")]
    assert len(chinese.text) == LONGEST + 2
    assert "x<mark>针</mark>字" in chinese.highlighted


async def test_the_time_is_that_of_the_word(archive: Archive) -> None:
    said = ("a", "rose", "is", "a", "rose")
    words = tuple(Word(text=f" {one}", start_s=at + 0.5, end_s=at + 1) for at, one in enumerate(said))
    timed = Segment(text="a rose is a rose", start_s=0.25, end_s=5, words=words)
    edited = Segment(text="a tulip is a tulip", start_s=0.25, end_s=5, words=words)
    await archive.put(timed, edited)
    assert [one.start_s for one in (await archive.find("rose"))[0].matches] == [1.5]
    assert [one.start_s for one in (await archive.find('"is a rose"'))[0].matches] == [2.5]
    assert [one.start_s for one in (await archive.find("tulip"))[0].matches] == [0.25]


async def test_the_best_matches_are_shown_in_order_of_time(archive: Archive) -> None:
    await archive.put("the", "the", "the", "a zebra", "the", "see the zebra", "the")
    await archive.put("the")
    (found,) = await archive.find("the zebra", max_matches=2)
    assert [one.position for one in found.matches] == [3, 5]
    assert found.match_count == 7
    (found,) = await archive.find("the zebra", max_matches=20)
    assert [one.position for one in found.matches] == [0, 1, 2, 3, 4, 5, 6]


async def test_matches_of_alternatives_are_counted_once_and_the_rare_ones_shown_first(archive: Archive) -> None:
    both = await archive.put("the", "the", "the zebra", "nothing", "a zebra", "the")
    other = await archive.put("the")
    found = {one.document.job_id: one for one in await archive.find("the OR zebra", max_matches=3)}
    assert found.keys() == {both, other}
    assert [one.position for one in found[both].matches] == [0, 2, 4]
    assert (found[both].match_count, found[other].match_count) == (5, 1)
    (one,) = await archive.find("the (zebra OR nothing) -horse", max_matches=20)
    assert one.document.job_id == both
    assert [one.position for one in one.matches] == [0, 1, 2, 3, 4, 5]
    assert one.match_count == 6


async def test_scores_are_between_0_and_1_and_say_who_is_better(archive: Archive) -> None:
    often = await archive.put(*["budget"] * 5)
    once = await archive.put("budget", *["something"] * 4)
    found = await archive.find("budget")
    assert [one.document.job_id for one in found] == [often, once]
    assert 1 > found[0].score > found[1].score > 0
    rare = await archive.put("zebra", *["something"] * 4)
    assert next(one.document.job_id for one in await archive.find("something OR zebra")) == rare


async def test_what_others_have_said_changes_no_score(archive: Archive) -> None:
    await archive.put("a secret word", "another one")
    before = await archive.find("secret OR another")
    for _ in range(5):
        await archive.put("secret", "secret", owner_id="bob")
    assert await archive.find("secret OR another") == before


async def test_everybody_finds_his_own_and_an_administrator_all(archive: Archive) -> None:
    anns, bobs = await archive.put("zebra"), await archive.put("zebra", owner_id="bob")
    assert await archive.ids("zebra", ANN) == {anns}
    assert await archive.ids("zebra", BOB) == {bobs}
    assert await archive.ids("zebra", ADMIN) == {anns, bobs}
    eve = await archive.search.find("zebra", EVE, part=Slice())
    assert eve.total == 0
    assert [one.text for one in await archive.search.suggest("ze", BOB)] == ["zebra"]


async def test_filters(archive: Archive) -> None:
    day = datetime(2025, 10, 1, tzinfo=UTC)
    old = await archive.put("zebra", created_at=day, model="small", language="en", filename="Prüfung_1.mp3")
    new = await archive.put(
        "zebra", created_at=day + timedelta(days=1), model="medium", language="de", filename="Ende.mp3"
    )
    nameless = await archive.put("zebra", created_at=day + timedelta(days=2), model=None, language=None, filename=None)
    for wanted, found in (
        (SearchFilter(), {old, new, nameless}),
        (SearchFilter(created_from=day + timedelta(days=1)), {new, nameless}),
        (SearchFilter(created_before=day + timedelta(days=1)), {old}),
        (SearchFilter(models=("small", "large")), {old}),
        (SearchFilter(languages=("de",)), {new}),
        (SearchFilter(filename="PRUFUNG"), {old}),
        (SearchFilter(filename="e.MP3"), {new}),
        (SearchFilter(filename="%"), set()),
        (SearchFilter(models=("medium",), languages=("en",)), set()),
    ):
        assert await archive.ids("zebra", wanted=wanted) == found, wanted


async def test_pages_are_parts_of_one_list(archive: Archive) -> None:
    made = [await archive.put("zebra") for _ in range(7)]
    every = [one.document.job_id for one in await archive.find("zebra")]
    assert sorted(every) == sorted(made)
    assert every == list(reversed(made)), "of equals, the newest first"
    paged: list[str] = []
    for offset in range(0, 9, 2):
        page = await archive.search.find("zebra", ANN, part=Slice(offset, 2))
        assert page.total == 7
        paged += [one.document.job_id for one in page.rows]
    assert paged == every


@pytest.mark.parametrize("query", ["", " ", "!?", "***", "...", '""', "()", "-!", "\u200d"])
async def test_a_query_without_words_finds_nothing(archive: Archive, query: str) -> None:
    await archive.put("zebra!? *** ...", filename="zebra.mp3")
    assert await archive.search.find(query, ANN, part=Slice()) == Page((), 0)
    assert await archive.search.suggest(query, ANN) == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=TEXTS)
async def test_no_query_can_make_it_fail(archive: Archive, query: str) -> None:
    if not (await archive.search.find("rose", ANN, part=Slice())).total:
        await archive.put("a rose AND b* -c", "或 NOT あ")
    found = await archive.find(query)
    assert all(0 < one.score < 1 and one.matches for one in found)
    await archive.search.suggest(query, ANN)


# ---------------------------------------------------------------- suggestions


async def test_suggestions_are_words_that_were_said_and_names(archive: Archive) -> None:
    await archive.put("Machine learning", "machine learning", "Maschinen", filename="Machbarkeit.mp3")
    await archive.put("machine learner", filename="über Macht.wav")
    await archive.put("macabre secrets", owner_id="bob", filename="macaroni.mp3")

    async def told(prefix: str, limit: int = 10) -> list[tuple[str, str, int]]:
        return [(one.text, one.kind, one.count) for one in await archive.search.suggest(prefix, ANN, limit)]

    assert await told("mac") == [
        ("machine", "words", 3),
        ("Machbarkeit.mp3", "filename", 1),
        ("über Macht.wav", "filename", 1),
    ]
    assert await told("machine lea") == [("machine learning", "words", 2), ("machine learner", "words", 1)]
    assert await told("MA", 1) == [("machine", "words", 3)]
    assert await told("uber") == [("über Macht.wav", "filename", 1)]
    assert await told("chine") == []
    assert await told("-") == []
    assert {one.text for one in await archive.search.suggest("maca", ADMIN)} == {"macabre", "macaroni.mp3"}


async def test_suggestions_where_there_are_no_spaces(archive: Archive) -> None:
    await archive.put("机器学习。", "机器学习和机器人")
    assert [one.text for one in await archive.search.suggest("机器学", ANN)] == ["机器学习", "机器学习和机器"]
