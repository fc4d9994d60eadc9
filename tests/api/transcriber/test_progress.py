"""How far a job is, at a moment and as a stream that survives breaks."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from tests.api.conftest import MakeServer
from tests.both_clients import Both, both
from tests.cutting_proxy import cutting_proxy
from tests.live import ADMIN_KEY
from tests.processes import descendants
from tests.visitor import Visitor, administrator
from whispercore.api.transcriber.progress import Ended, Heard, JobEvent, Progressed
from whispercore.clock import SystemClock
from whispercore.errors import InvalidRequest, NotFound


async def queued(client: Both, recording: Path) -> str:
    job = await client.call(lambda c: c.jobs.create(file=recording, model="micro", language="en"))
    return str(job.job_id)


async def followed(client: Both, job_id: str, last_event_id: str | None = None) -> list[JobEvent]:
    return await client.all(lambda c: c.progress.events(job_id, last_event_id=last_event_id))


def positions(events: list[JobEvent]) -> list[int]:
    return [one.position for one in events if isinstance(one, Heard)]


async def test_a_stream_tells_everything_once_and_in_order(client: Both, minutes: Path) -> None:
    job_id = await queued(client, minutes)
    events = await followed(client, job_id)
    job = await client.call(lambda c: c.jobs.get(job_id))

    heard = [one for one in events if isinstance(one, Heard)]
    assert positions(events) == list(range(len(job.transcript.segments)))
    assert [one.segment for one in heard] == job.transcript.segments
    told = [one.progress for one in events if isinstance(one, Progressed)]
    percents = [one.progress for one in told]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    done = [one.current_segment for one in told]
    assert done == sorted(done)
    assert done[-1] == told[-1].total_segments > 2
    assert all(one.current_segment <= one.total_segments for one in told)
    assert [type(one) for one in events].count(Ended) == 1
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert (ended.job_id, ended.status, ended.failure_reason) == (job_id, "completed", None)

    last = events.index(next(one for one in told_events(events) if one.progress.progress == 100))
    first = events.index(heard[0])
    assert first < last, "the first segment comes before the job is done"
    running = [one for one in told_events(events)[:-1] if events.index(one) > first]
    assert any(one.progress.status == "processing" for one in running)

    again = await followed(client, job_id)
    assert positions(again) == positions(events), "who comes late hears all"
    for seen in (1, len(heard) - 1, len(heard)):
        rest = await followed(client, job_id, str(seen))
        assert positions(rest) == positions(events)[seen:]
        assert isinstance(rest[-1], Ended)


def told_events(events: list[JobEvent]) -> list[Progressed]:
    return [one for one in events if isinstance(one, Progressed)]


@pytest.mark.parametrize("wrong", ["x", "-1", "1.5", "9" * 40, "²"])
async def test_an_event_id_that_is_none_is_refused(wrong: str, alices: Both, completed: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        await followed(alices, completed["job_id"], wrong)


async def test_an_event_id_beyond_the_end_gives_the_end(alices: Both, completed: dict[str, Any]) -> None:
    events = await followed(alices, completed["job_id"], "999")
    assert positions(events) == []
    assert isinstance(events[-1], Ended)


class Impatient(SystemClock):
    """Does not wait before it tries again."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))


async def test_a_stream_goes_on_after_breaks(kind: str, newcomer: Visitor, minutes: Path) -> None:
    """Cut each time behind another segment, in the middle of the next event."""

    def a_segment(brought: bytes) -> int | None:
        found = re.search(rb"event: segment\nid: \d+\ndata: [^\n]+\n\n.{10}", brought, re.DOTALL)
        return found.end() if found is not None else None

    async with (
        cutting_proxy(newcomer.server.url, a_segment, times=3) as proxy,
        both(kind, proxy.url, token=newcomer.token, retries=3, clock=Impatient()) as client,
    ):
        job_id = await asyncio.to_thread(newcomer.job, minutes, language="en")
        events = await followed(client, job_id)
    job = (await asyncio.to_thread(newcomer.get, f"/api/jobs/{job_id}")).json()
    assert proxy.cuts == 3
    assert proxy.connections >= 4
    assert [one.segment.text for one in events if isinstance(one, Heard)] == [
        one["text"] for one in job["transcript"]["segments"]
    ]
    assert isinstance(events[-1], Ended)
    asked = [re.search(rb"Last-Event-ID: (\d+)", one, re.IGNORECASE) for one in proxy.requests]
    assert asked[0] is None
    assert any(asked)


async def test_nobody_follows_what_is_not_his(client: Both, completed: dict[str, Any], nobody: Visitor) -> None:
    with pytest.raises(NotFound):
        await followed(client, completed["job_id"])
    path = f"/api/progress/{completed['job_id']}/events"
    assert (await asyncio.to_thread(nobody.get, path)).status_code == 401


async def test_several_follow_the_same_job(newcomer: Visitor, minutes: Path) -> None:
    job_id = await asyncio.to_thread(newcomer.job, minutes, language="en")
    async with (
        both("async", newcomer.server.url, token=newcomer.token) as first,
        both("sync", newcomer.server.url, token=newcomer.token) as second,
    ):
        followers = [followed(client, job_id) for client in (first, second, first, second)]
        streams = await asyncio.gather(*followers)
    assert len({tuple(positions(events)) for events in streams}) == 1
    assert all(isinstance(events[-1], Ended) for events in streams)
    assert newcomer.server.ports.following._followed == {}, "nobody is read for any more"


def test_who_leaves_is_forgotten(make_server: MakeServer, audio: Path) -> None:
    admin = administrator(make_server(worker=False))
    job_id = admin.job(audio / "clip01-en.wav")
    for _ in range(3):
        with admin.get(f"/api/progress/{job_id}/events", stream=True) as stream:
            lines = stream.iter_lines()
            assert next(lines) == b"retry: 1000"
            assert next(one for one in lines if one.startswith(b"event"))
    assert admin.post(f"/api/jobs/{job_id}/cancel").status_code == 200
    for _ in range(1000):
        if not admin.server.ports.following._followed:
            return
        admin.get("/live")
    raise AssertionError("somebody is still read for")


def test_a_stream_ends_when_its_server_does(make_server: MakeServer, audio: Path) -> None:
    """Clients come back to whoever serves next; a server that waited for them would never end."""
    admin = administrator(make_server(worker=False))
    job_id = admin.job(audio / "clip01-en.wav")
    with admin.get(f"/api/progress/{job_id}/events", stream=True) as stream:
        lines = stream.iter_lines()
        next(one for one in lines if one.startswith(b"data"))
        admin.server.run(admin.server.ports.following.close())
        rest = b"".join(lines)
    assert b"event: end" not in rest
    assert b"event: error" not in rest


# ---------------------------------------------------------------- it follows the engine


@contextmanager
def stopped(children: list[psutil.Process]) -> Iterator[None]:
    for child in children:
        child.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for child in children:
            child.send_signal(signal.SIGCONT)


async def test_progress_stands_still_while_the_engine_does(make_server: MakeServer, audio: Path) -> None:
    before = {one.pid for one in descendants()}
    server = await asyncio.to_thread(make_server)
    admin = administrator(server)
    async with both("sync", server.url, api_key=ADMIN_KEY) as client:
        job_id = await queued(client, audio / "talk.wav")
        await asyncio.to_thread(admin.until, job_id, lambda seen: seen["progress"] > 0)
        ours = [one for one in descendants() if one.pid not in before]
        assert ours
        seen: list[int] = []
        with stopped(ours):
            settled = await asyncio.to_thread(_settled, admin, job_id)
            for _ in range(60):
                answer: requests.Response = await asyncio.to_thread(admin.get, f"/api/progress/{job_id}")
                seen.append(answer.json()["progress"])
                await asyncio.sleep(0.02)
        assert set(seen) == {settled}
        further = await asyncio.to_thread(admin.until, job_id, lambda now: now["progress"] > settled)
        assert further["progress"] > settled
        assert (await client.call(lambda c: c.jobs.delete(job_id))).message


def _settled(admin: Visitor, job_id: str) -> int:
    """The progress once what was under way when the children were stopped has been written."""
    same, last = 0, -1
    while same < 60:
        now = int(admin.get(f"/api/progress/{job_id}").json()["progress"])
        same, last = (same + 1, last) if now == last else (0, now)
        admin.server.run(asyncio.sleep(0.02))
    return last
