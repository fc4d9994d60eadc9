"""How soon a search is answered, and what keeping its index costs."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from statistics import median, quantiles

from attrs import evolve
from sqlalchemy import func, insert, select, text

from benchmarks.place import Place
from benchmarks.results import Figure, Result, ratio
from whispercore.database.page import Slice
from whispercore.database.session import Database
from whispercore.database.tables import jobs, segments
from whispercore.ids import Uuid7Ids
from whispercore.people.caller import Caller
from whispercore.search.search import IndexSearch

_WORDS, _PER_SEGMENT = 20_000, 14
_ANN = Caller(user_id="ann", username="ann", scopes=frozenset())
_ROOT = evolve(_ANN, user_id="root", is_admin=True)
_QUERIES = {
    "a rare word": "w1500",
    "two words": "w120 w300",
    "a phrase": '"w12 w30"',
    "a beginning": "w123*",
    "operators": "(w200 OR w300) w40 -w90",
    "the most frequent word": "w0",
}
_TRIGGERS = ("enters", "leaves", "changes", "changed", "forgets", "moves")


def run(place: Place) -> Result:
    """Queries of several kinds, beside a scan of all segments; and an hour of speech, with the index and without."""
    n_jobs, per_job = place.pick(200, 4), place.pick(500, 20)
    url = f"sqlite+aiosqlite:///{place.folder / 'search.db'}"
    took_s, scan_s, root_s = asyncio.run(_queries(url, n_jobs, per_job, place.pick(15, 2)))
    kept_s, bare_s = asyncio.run(_writing(place, place.pick(720, 20), place.pick(9, 2)))
    n_segments = n_jobs * per_job
    every = sorted(itertools.chain(*took_s.values()))
    common = [one for name, found in took_s.items() if name != "the most frequent word" for one in found]
    windows = max(1, place.pick(720, 20) // 6)
    return Result(
        name="search",
        title="Search",
        how=(
            f"{n_segments:,} segments of {_PER_SEGMENT} words, in {n_jobs} jobs of one person; words are as frequent "
            f"as in a language (Zipf), of {_WORDS:,} different ones. Each query gives the first 20 jobs with 3 matches "
            "each and the number of all, through the library, on a database in a file; in turns, medians of "
            f"{len(scan_s)} rounds. The scan looks for the rare word with LIKE in all segments of the person, counts "
            "by job and shows nothing. Then an hour of speech is kept as a job keeps it, 6 segments in a transaction, "
            "with the triggers of the index and without."
        ),
        figures=(
            ratio("a rare word / a plain scan, time", took_s["a rare word"], scan_s, bar=1.0),
            Figure(what="all kinds of queries, median", value=1000 * median(every), unit="ms", digits=1, bar=50),
            Figure(
                what="99th percentile, without the last", value=1000 * quantiles(common, n=100)[98], unit="ms", digits=1
            ),
            *(
                Figure(what=name, value=1000 * median(found), unit="ms", digits=1, bar=50)
                for name, found in took_s.items()
            ),
            Figure(what="a rare word, by an administrator", value=1000 * median(root_s), unit="ms", digits=1),
            Figure(what="a plain scan for the rare word", value=1000 * median(scan_s), unit="ms", digits=1),
            ratio("keeping an hour: with the index / without, time", kept_s, bare_s, bar=2.0),
            Figure(
                what="the index, for a window of 30 s",
                value=1000 * max(0.0, median(kept_s) - median(bare_s)) / windows,
                unit="ms",
                digits=2,
            ),
        ),
        samples={**{f"{name}_s": found for name, found in took_s.items()}, "scan_s": scan_s},
    )


async def _queries(
    url: str, n_jobs: int, per_job: int, rounds: int
) -> tuple[dict[str, list[float]], list[float], list[float]]:
    took_s: dict[str, list[float]] = {name: [] for name in _QUERIES}
    scan_s: list[float] = []
    root_s: list[float] = []
    async with Database(url) as database:
        await database.upgrade()
        said = _said(7)
        for _ in range(n_jobs):
            await _put_job(database, list(itertools.islice(said, per_job)), together=per_job)
        search = IndexSearch(database)
        for number in range(rounds + 1):
            for name, query in _QUERIES.items():
                seconds = await _timed(partial(search.find, query, _ANN, part=Slice(0, 20)))
                if number:  # the first round warms up
                    took_s[name].append(seconds)
            by_root = await _timed(lambda: search.find(_QUERIES["a rare word"], _ROOT, part=Slice(0, 20)))
            scanned = await _timed(lambda: _scan(database, _QUERIES["a rare word"]))
            if number:
                root_s.append(by_root)
                scan_s.append(scanned)
    return took_s, scan_s, root_s


async def _scan(database: Database, word: str) -> object:
    return await database.rows(
        select(segments.c.job_id, func.count())
        .join(jobs, jobs.c.id == segments.c.job_id)
        .where(jobs.c.owner_id == _ANN.user_id, segments.c.text.like(f"%{word}%"))
        .group_by(segments.c.job_id)
    )


async def _writing(place: Place, n_segments: int, rounds: int) -> tuple[list[float], list[float]]:
    kept_s: list[float] = []
    bare_s: list[float] = []
    said = _said(8)
    async with (
        Database(f"sqlite+aiosqlite:///{place.folder / 'kept.db'}") as kept,
        Database(f"sqlite+aiosqlite:///{place.folder / 'bare.db'}") as bare,
    ):
        for database in (kept, bare):
            await database.upgrade()
        async with bare.write() as tx:
            for name in _TRIGGERS:
                await tx.execute(text(f"DROP TRIGGER search_{name}"))
        for number in range(rounds + 1):
            texts = list(itertools.islice(said, n_segments))
            for database, took_s in ((kept, kept_s), (bare, bare_s)):
                seconds = await _timed(partial(_put_job, database, texts, together=6))
                if number:
                    took_s.append(seconds)
    return kept_s, bare_s


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def _said(seed: int) -> Iterator[str]:
    chance = random.Random(seed)  # noqa: S311 (the same words in every run)
    words = [f"w{number}" for number in range(_WORDS)]
    weights = list(itertools.accumulate(1 / (number + 1) for number in range(_WORDS)))
    while True:
        yield " ".join(chance.choices(words, cum_weights=weights, k=_PER_SEGMENT))


async def _put_job(database: Database, texts: Sequence[str], *, together: int) -> None:
    job_id = Uuid7Ids(database.clock).new()
    values = {
        "kind": "transcribe",
        "state": "completed",
        "fair_tag": 0.0,
        "options": "{}",
        "created_at": database.now(),
    }
    async with database.write() as tx:
        await tx.execute(
            insert(jobs).values(
                id=job_id, owner_id=_ANN.user_id, filename="talk.wav", audio_duration_s=3600.0, **values
            )
        )
    for first in range(0, len(texts), together):
        rows = [
            {
                "job_id": job_id,
                "position": position,
                "start_s": 5.0 * position,
                "end_s": 5.0 * position + 5,
                "text": text_,
            }
            for position, text_ in enumerate(texts[first : first + together], first)
        ]
        async with database.write() as tx:
            await tx.execute(insert(segments), rows)
