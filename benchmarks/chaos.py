"""Servers and workers that share a PostgreSQL and a bucket, while everything is killed, restarted and cut off."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from attrs import frozen
from sqlalchemy import select

import whispercore
from benchmarks.borrowed import hook, postgres, s3
from benchmarks.chaos_clients import RETRIES, Clients, Sent, Waits, asked_all_the_time
from benchmarks.fleet import Fleet, fleet
from benchmarks.place import Place, in_words
from benchmarks.relay import Address, Relay, relay
from benchmarks.results import Figure, Result
from benchmarks.servers import ADMIN_KEY
from whispercore.api.transcriber.jobs import JobDetail
from whispercore.database.session import Database
from whispercore.database.tables import jobs, outbox, webhook_deliveries
from whispercore.encryption import age
from whispercore_client import Client

if TYPE_CHECKING:
    from tests.postgres import Postgres

_SEED = 7
_THREADS = 1
"""Of the engine, here and there: other counts change the last digits."""
_EVERY = 25
"""One recording of so many is a long one."""
_PATIENCE_S = (600, 300)
"""How long jobs may take after the last was sent, and in a quick run; those that take longer count as lost."""
_TOLD_S = 120.0
"""How long it may take after the last job until all messages for the webhook are made."""


@frozen(kw_only=True)
class Plan:
    """How much, and for how long."""

    servers: int
    workers: int
    jobs: int
    disorder_s: float
    kill_every_s: tuple[float, float]
    """The shortest and the longest time between two kills."""
    restarts_at: tuple[float, ...]
    """When PostgreSQL is restarted, as parts of the time."""
    away_s: float
    """How long it is away then."""
    cut_at: float
    cut_s: float
    """How long nobody reaches the bucket."""


FULL = Plan(
    servers=3,
    workers=4,
    jobs=500,
    disorder_s=600,
    kill_every_s=(2, 6),
    restarts_at=(0.3, 0.75),
    away_s=3,
    cut_at=0.5,
    cut_s=20,
)
QUICK = Plan(
    servers=2,
    workers=2,
    jobs=15,
    disorder_s=6,
    kill_every_s=(1.8, 2.2),
    restarts_at=(0.25,),
    away_s=0,
    cut_at=0.6,
    cut_s=1,
)


def run(place: Place) -> Result:
    """Every job ends once, with the transcript that it has where nothing happens."""
    return measured(place, QUICK if place.quick else FULL)


def measured(place: Place, plan: Plan) -> Result:
    """The same by a plan of one's own."""
    clips, long = place.clips(4 if place.quick else _EVERY - 1), place.talk(1)
    recordings = [long if n % _EVERY == _EVERY // 2 else clips[n % len(clips)] for n in range(plan.jobs)]
    with ExitStack() as stack:
        database, store, told = stack.enter_context(postgres()), stack.enter_context(s3()), stack.enter_context(hook())
        database.keep(name := database.new())
        url = database.url(name)
        asyncio.run(_upgrade(url))
        to_store = stack.enter_context(relay(lambda: [_address(store.endpoint)]))
        environment = _environment(url, to_store.url, store.bucket)
        all_of_them = fleet(place.folder / "chaos", environment, servers=plan.servers, workers=plan.workers)
        running = stack.enter_context(all_of_them)
        door = stack.enter_context(relay(running.addresses))
        waits = Waits()
        client = stack.enter_context(Client(door.url, api_key=ADMIN_KEY, retries=RETRIES, clock=waits))
        client.webhooks.create(url=told.url, events=["job.completed", "job.failed"])
        clients = Clients(client, patience_s=place.pick(*_PATIENCE_S))
        with ThreadPoolExecutor(1) as beside, asked_all_the_time(door.url) as outage:
            within_s, together = 0.9 * plan.disorder_s, place.pick(32, 8)
            sending = beside.submit(clients.send_all, recordings, within_s=within_s, together=together)
            _disorder(plan, database, running, to_store)
            sent = sending.result()
        records = asyncio.run(_records(url))
    wanted = {path: _undisturbed(path) for path in dict.fromkeys(recordings)}
    different = sum(one.status == "completed" and _said(one.job) != wanted[one.recording] for one in sent)
    states = Counter(one.status for one in sent)
    return Result(
        name="chaos",
        title="Chaos",
        how=_how(plan, place, long),
        figures=(
            Figure(what="jobs sent", value=len(sent), digits=0),
            Figure(what="completed", value=states["completed"], digits=0),
            Figure(what="failed", value=states["failed"] + states["cancelled"], digits=0, bar=0),
            Figure(what="lost", value=states["lost"], digits=0, bar=0),
            Figure(what="made twice", value=len(records.jobs - {one.job_id for one in sent}), digits=0, bar=0),
            Figure(what="transcripts that differ", value=different, digits=0, bar=0),
            Figure(
                what="jobs whose end was written never or twice", value=_not_one(records.ends, sent), digits=0, bar=0
            ),
            Figure(what="jobs told never or twice to the webhook", value=_not_one(records.told, sent), digits=0, bar=0),
            Figure(what="kills of servers", value=sum(one.kills for one in running.servers), digits=0),
            Figure(what="kills of workers", value=sum(one.kills for one in running.workers), digits=0),
            Figure(what="restarts of PostgreSQL", value=len(plan.restarts_at), digits=0),
            Figure(what="attempts at jobs", value=records.attempts, digits=0),
            Figure(what="attempts that counted as failures", value=records.failures, digits=0),
            Figure(what="times that clients tried again", value=waits.count + clients.errors.total(), digits=0),
            Figure(what="longest without an answer", value=outage.longest_s, unit="s", digits=1),
            Figure(
                what="from sending to transcript, median", value=median(one.took_s for one in sent), unit="s", digits=1
            ),
            Figure(what="longest", value=max(one.took_s for one in sent), unit="s", digits=1),
        ),
        samples={"took_s": [one.took_s for one in sent]},
        notes=_notes(clients, running),
    )


def _how(plan: Plan, place: Place, long: Path) -> str:
    shortest, longest = plan.kill_every_s
    return (
        f"{plan.servers} servers and {plan.workers} workers, each with a folder of its own, share a PostgreSQL and a "
        f"bucket of S3 over HTTP. Clients send {plan.jobs} recordings, of {place.clip_s} s and, one of {_EVERY}, of "
        f"{in_words(long)}, through a door that hands connections on, and wait for the transcripts. For "
        f"{plan.disorder_s:g} s, every {shortest:g} to {longest:g} s, one of the processes is killed with -9, by "
        "chance and whatever it does, and started again. Meanwhile PostgreSQL is restarted, in order the first time "
        f"and as after a crash the second, and is away for {plan.away_s:g} s and longer; and the bucket is cut off "
        f"for {plan.cut_s:g} s. Transcripts are compared, segments and all, with those of the library alone. The "
        "client tries again by itself, with an Idempotency-Key."
    )


def _notes(clients: Clients, running: Fleet) -> tuple[str, ...]:
    errors = ", ".join(f"{count} times `{code}`" for code, count in sorted(clients.errors.items()))
    ends = sum(one.ends for one in running.everybody)
    return (
        f"{ends} times a process ended by itself, as one does that starts while PostgreSQL or the bucket is away.",
        f"After its own {RETRIES} retries the client of the library gave up: {errors or 'never'}.",
    )


def _not_one(counts: Counter[str], sent: Sequence[Sent]) -> int:
    return sum(counts[one.job_id] != 1 for one in sent)


# ------------------------------------------------------------ disorder


def _disorder(plan: Plan, database: Postgres, running: Fleet, to_store: Relay) -> None:
    """All that happens, at its time."""
    dice = random.Random(_SEED)  # noqa: S311 (it hides nothing)
    modes: Iterator[Literal["fast", "immediate"]] = itertools.cycle(("fast", "immediate"))

    def kill() -> None:
        dice.choice(running.everybody).kill()

    def restart() -> None:
        database.stop(next(modes))
        time.sleep(plan.away_s)
        database.start()

    acts: list[tuple[float, Callable[[], None]]] = [(part * plan.disorder_s, restart) for part in plan.restarts_at]
    cut_s = plan.cut_at * plan.disorder_s
    acts += [(cut_s, to_store.shut), (cut_s + plan.cut_s, to_store.open)]
    at_s = 0.0
    while (at_s := at_s + dice.uniform(*plan.kill_every_s)) < plan.disorder_s:
        acts.append((at_s, kill))
    began = time.monotonic()
    for at_s, act in sorted(acts, key=itemgetter(0)):
        time.sleep(max(0.0, began + at_s - time.monotonic()))
        act()
    time.sleep(max(0.0, began + plan.disorder_s - time.monotonic()))


# ------------------------------------------------------------ what is there


@frozen(kw_only=True)
class _Records:
    """What the database says afterwards."""

    jobs: set[str]
    attempts: int
    failures: int
    ends: Counter[str]
    """How often the end of each job was written: together with its result, in one transaction."""
    told: Counter[str]
    """How many messages there are for the webhook about each job."""


async def _records(url: str) -> _Records:
    async with Database(url) as database:
        async with asyncio.timeout(_TOLD_S):
            while await database.rows(select(outbox.c.id).where(outbox.c.delivered_at.is_(None)).limit(1)):  # noqa: ASYNC110 (servers do it, and tell nobody)
                await asyncio.sleep(0.1)
        rows = await database.rows(select(jobs.c.id, jobs.c.attempt, jobs.c.failures))
        ends = await database.rows(select(outbox.c.payload).where(outbox.c.topic.like("job.%")))
        told = await database.rows(select(webhook_deliveries.c.job_id))
    return _Records(
        jobs={row.id for row in rows},
        attempts=sum(row.attempt for row in rows),
        failures=sum(row.failures for row in rows),
        ends=Counter(json.loads(row.payload)["job_id"] for row in ends),
        told=Counter(row.job_id for row in told),
    )


async def _upgrade(url: str) -> None:
    async with Database(url) as database:
        await database.upgrade()


def _environment(url: str, endpoint: str, bucket: str) -> dict[str, str]:
    """Of every server and worker."""
    return {
        "WHISPERCORE_DATABASE_URL": url,
        "WHISPERCORE_S3_ENDPOINT": endpoint,
        "WHISPERCORE_S3_BUCKET": bucket,
        "WHISPERCORE_S3_ACCESS_KEY": "chaos",
        "WHISPERCORE_S3_SECRET_KEY": "chaos",
        "WHISPERCORE_MASTER_KEY": age.new_identity(),
        "WHISPERCORE_TOKEN_KEY": secrets.token_hex(20),
        "WHISPERCORE_AUDIT_KEY": secrets.token_hex(20),
        "WHISPERCORE_ADMIN_KEY": ADMIN_KEY,
        "WHISPERCORE_ALLOW_INTERNAL_ADDRESSES": "1",
        "WHISPERCORE_RATE_PROFILE": "none",
        "WHISPERCORE_REUSE_RESULTS": "0",
        "WHISPERCORE_THREADS": str(_THREADS),
    }


def _address(url: str) -> Address:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 80


# ------------------------------------------------------------ what was said

_Said = tuple[str, list[tuple[float, float, str, float | None]]]


def _undisturbed(recording: Path) -> _Said:
    transcript = whispercore.transcribe(recording, model="micro", threads=_THREADS)
    return transcript.text, [(one.start_s, one.end_s, one.text, one.confidence) for one in transcript.segments]


def _said(job: JobDetail | None) -> _Said | None:
    if job is None or job.transcript is None:
        return None
    segments = job.transcript.segments
    return job.transcript.text, [(one.start, one.end, one.text, one.confidence) for one in segments]
