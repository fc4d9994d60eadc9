"""``POST /api/search/`` and its suggestions, as users meet them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.both_clients import Both, both
from tests.live import Live, live, settings_for
from tests.speech import AUDIO
from tests.visitor import Visitor, administrator, limited, registered
from whispercore.api.transcriber.search import DateRange, SearchFilters
from whispercore.errors import InvalidRequest
from whispercore.search import fts_index
from whispercore.search.excerpt import Marks, Span, spans_of


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(settings_for(tmp_path_factory.mktemp("library"))) as server:
        yield server


@pytest.fixture(scope="module")
def reader(library: Live) -> Visitor:
    return registered(library)


@pytest.fixture(scope="module")
def made(reader: Visitor) -> list[str]:
    """Ids of two jobs: ``the teacher is in the station``, in English, and one in German."""
    jobs = [
        reader.job(AUDIO / "clip01-en.wav", language="en", words="true"),
        reader.job(AUDIO / "clip13-de.wav", language="de"),
    ]
    assert [reader.finished(job_id)["status"] for job_id in jobs] == ["completed", "completed"]
    return jobs


def found(visitor: Visitor, query: str, **more: Any) -> dict[str, Any]:
    answer = visitor.post("/api/search/", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def test_what_was_said_is_found(reader: Visitor, made: list[str]) -> None:
    page = found(reader, '"the station" teach*')
    (result,) = page["results"]
    assert (page["total"], page["limit"], page["offset"]) == (1, 20, 0)
    assert page["query_time"] == f"{page['query_time_s']:.2f}s"
    assert result["job_id"] == made[0]
    assert result["filename"] == "clip01-en.wav"
    assert (result["model"], result["language"], result["match_count"]) == ("micro", "en", 1)
    assert 0 < result["relevance_score"] < 1
    (match,) = result["matches"]
    assert match["text"] == "the teacher is in the station"
    assert match["highlighted"] == "the <mark>teacher</mark> is in <mark>the station</mark>"
    assert 0 < match["timestamp"] < match["end"], "that of the word, not of the phrase"
    assert 0 < match["confidence"] <= 1
    assert match["segment"] == 0


def test_filters(reader: Visitor, made: list[str]) -> None:
    def ids(**filters: Any) -> list[str]:
        return [one["job_id"] for one in found(reader, "teacher OR sonntag", filters=filters)["results"]]

    day = reader.get(f"/api/jobs/{made[0]}").json()["created_at"][:10]
    assert set(ids()) == set(made)
    assert ids(languages=["English"]) == [made[0]]
    assert ids(languages=["DE", "fr"]) == [made[1]]
    assert ids(models=["medium"]) == []
    assert ids(filename="CLIP13") == [made[1]]
    assert set(ids(date_range={"start": day, "end": day})) == set(made)
    assert set(ids(date_range={"end": day.replace("-", "")})) == set(made), "a day, however it is written"
    assert ids(date_range={"start": "2020-01-01", "end": "2020-12-31"}) == []
    assert ids(date_range={"end": "2020-12-31T10:00:00+02:00"}) == []
    assert set(ids(date_range={"start": "0001-01-01T00:00:00+00:00"}, models=["micro"])) == set(made)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query: it is missing"),
        ({"query": ""}, "query: its length is 0, not between 1 and 500"),
        ({"query": "x" * 501}, "query: its length is 501, not between 1 and 500"),
        ({"query": "a", "limit": 101}, "limit: 101 is not between 1 and 100"),
        ({"query": "a", "offset": -1}, "offset: -1 is not between 0 and 1,000,000,000"),
        ({"query": "a", "max_matches": 0}, "max_matches: 0 is not between 1 and 20"),
        ({"query": "a", "filters": {"model": ["x"]}}, "filters: unknown: model"),
        (
            {"query": "a", "filters": {"date_range": {"start": "2025-10-23", "end": "2025-10-01"}}},
            "filters.date_range: it ends before it starts",
        ),
        (
            {"query": "a", "filters": {"date_range": {"end": "9999-12-31"}}},
            "filters.date_range.end: it is out of all bounds",
        ),
        ({"query": "a", "filters": {"date_range": {"start": "yesterday"}}}, "'yesterday' is neither a day"),
    ],
)
def test_what_cannot_be_asked(reader: Visitor, body: dict[str, Any], field: str) -> None:
    answer = reader.post("/api/search/", json=body)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "VALIDATION_ERROR"
    assert field in answer.json()["detail"]


@pytest.mark.parametrize("text", [" \t", "?!", "***", "...", '"" ()'])
def test_no_text_is_wrong(reader: Visitor, made: list[str], text: str) -> None:
    assert made
    page = found(reader, text)
    assert (page["results"], page["total"]) == ([], 0)
    assert reader.get("/api/search/suggestions", params={"prefix": text}).json() == {"suggestions": []}


def test_what_was_said_about_attacks_is_written_and_found(reader: Visitor) -> None:
    said = "Bobby'); DROP TABLE students;-- or <script>alert(1)</script> and $(whoami)"
    path = f"/api/transcripts/{reader.job(AUDIO / 'clip02-en.wav')}"
    reader.finished(path.rpartition("/")[2])
    edit = {"version": 1, "operations": [{"op": "text", "segment": 0, "text": said}]}
    assert reader.send("PATCH", path, json=edit).status_code == 200
    for query in ("'; DROP TABLE students;--", "<script>alert(1)</script>", "$(whoami)"):
        assert found(reader, query)["total"] == 1
    for query in ("' OR '1'='1", "../../etc/passwd", "${jndi:ldap://x}", "\x1b[31m"):
        assert found(reader, query)["total"] == 0
        assert reader.get("/api/search/suggestions", params={"prefix": query}).status_code == 200
    note = {
        "version": 2,
        "operations": [{"op": "text", "segment": 0, "text": "a"}],
        "note": "<script>alert(1)</script>",
    }
    assert reader.send("PATCH", path, json=note).json()["fields"] == ["note"]
    reader.send("DELETE", path.replace("transcripts", "jobs"))


def test_nobody_finds_what_is_not_his(library: Live, reader: Visitor, made: list[str]) -> None:
    other, root = registered(library), administrator(library)
    assert found(other, "teacher")["total"] == 0
    assert other.get("/api/search/suggestions?prefix=teach").json() == {"suggestions": []}
    assert other.get("/api/search/suggestions?prefix=clip").json() == {"suggestions": []}
    assert made[0] in [one["job_id"] for one in found(root, "teacher")["results"]]
    assert limited(library, "jobs:read").post("/api/search/", json={"query": "a"}).status_code == 403


def test_suggestions(reader: Visitor, made: list[str]) -> None:
    assert made
    told = reader.get("/api/search/suggestions", params={"prefix": "teach"}).json()
    assert told == {"suggestions": [{"text": "teacher", "kind": "words", "count": 1}]}
    names = reader.get("/api/search/suggestions", params={"prefix": "CLIP", "limit": 1}).json()["suggestions"]
    assert [(one["text"], one["kind"]) for one in names] == [("clip01-en.wav", "filename")]
    assert reader.get("/api/search/suggestions").status_code == 400
    assert reader.get("/api/search/suggestions?prefix=").status_code == 400


def test_search_follows_edits_restored_versions_and_deletion(reader: Visitor) -> None:
    job_id = reader.job(AUDIO / "clip02-en.wav", language="en")
    first = reader.finished(job_id)["transcript"]["segments"][0]["text"]
    rare = max(first.split(), key=len)
    path, here = f"/api/transcripts/{job_id}", {"filename": "clip02"}
    assert found(reader, rare, filters=here)["total"] == 1

    edit = {"version": 1, "operations": [{"op": "text", "segment": 0, "text": "a <b>xylophone</b>"}]}
    assert reader.send("PATCH", path, json=edit).json()["version"] == 2
    (result,) = found(reader, "xylophone")["results"]
    assert result["matches"][0]["highlighted"] == "a &lt;b&gt;<mark>xylophone</mark>&lt;/b&gt;"
    assert found(reader, rare, filters=here)["total"] == 0
    assert reader.get("/api/search/suggestions?prefix=xylo").json()["suggestions"][0]["text"] == "xylophone"

    split = {"version": 2, "operations": [{"op": "split", "segment": 0, "at": 5}]}
    assert reader.send("PATCH", path, json=split).json()["segments"] > 1
    assert found(reader, "xylophone")["total"] == 1

    restored = reader.post(f"{path}/versions/1/restore", json={"version": 3})
    assert restored.status_code == 200, restored.text
    assert found(reader, "xylophone")["total"] == 0
    (result,) = found(reader, rare, filters=here)["results"]
    assert result["matches"][0]["text"] == first

    assert reader.post(f"{path}/versions/2/restore", json={"version": 4}).status_code == 200
    assert found(reader, "xylophone")["total"] == 1
    assert reader.send("DELETE", f"/api/jobs/{job_id}").status_code == 200
    assert found(reader, "xylophone")["total"] == 0
    assert reader.get("/api/search/suggestions?prefix=xylo").json() == {"suggestions": []}


def test_what_is_shown_is_made_outside_of_the_event_loop(
    reader: Visitor, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def noting(text: str, marked: str, marks: Marks) -> tuple[Span, ...]:
        threads.append(threading.get_ident())
        return spans_of(text, marked, marks)

    async def ident() -> int:
        return threading.get_ident()

    monkeypatch.setattr(fts_index, "spans_of", noting)
    assert found(reader, "teacher OR sonntag")["total"] == len(made)
    assert reader.get("/api/search/suggestions?prefix=teach").json()["suggestions"]
    assert len(threads) == 3
    assert reader.server.run(ident()) not in threads


@pytest.fixture
async def client(kind: str, reader: Visitor) -> Any:
    async with both(kind, reader.server.url, token=reader.token) as client:
        yield client


async def test_the_typed_clients(client: Both, made: list[str]) -> None:
    page = await client.call(lambda c: c.search.find(query="teacher"))
    assert [one.job_id for one in page.results] == [made[0]]
    filters = SearchFilters(date_range=DateRange(start="2020-01-01"), models=["micro"])
    rows = await client.all(lambda c: c.search.find.each(query="teacher OR sonntag", filters=filters, limit=1))
    assert {one.job_id for one in rows} == set(made)
    told = await client.call(lambda c: c.search.suggestions(prefix="teach"))
    assert [one.text for one in told.suggestions] == ["teacher"]
    assert (await client.call(lambda c: c.search.find(query="..."))).total == 0
    with pytest.raises(InvalidRequest, match="query: its length is 0"):
        await client.call(lambda c: c.search.find(query=""))
