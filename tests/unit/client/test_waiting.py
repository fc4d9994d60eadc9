"""Waiting for jobs, and transcribing in one call."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest

from tests.both_clients import Both
from tests.unit.client.hub import CREATED, DETAIL, Hub, refuses, says, shows
from tests.unit.client.test_events import ENDED, heard, sends
from whispercore.api.transcriber.job_options import vad_fields
from whispercore.api.transcriber.jobs import CreateJob
from whispercore.errors import JobFailed, NotFound, TimedOut
from whispercore_client import AsyncClient, Client

AT = {"job_id": "j1", "status": "processing", "stage": "transcribing", "current_segment": 0, "total_segments": 2}


def progress(percent: int) -> dict[str, Any]:
    return {**AT, "progress": percent}


def told(percent: int) -> bytes:
    return b"event: progress\ndata: %s\n\n" % orjson.dumps({"progress": progress(percent)})


RUNNING = says(200, DETAIL | {"status": "processing", "progress": 50})
DONE = says(200, DETAIL)


async def test_a_job_is_followed_by_its_events(client: Both, hub: Hub) -> None:
    hub.then(sends(told(10), heard(0), told(60), ENDED), DONE)
    seen: list[int] = []
    job = await client.call(lambda client: client.wait("j1", on_progress=lambda now: seen.append(now.progress)))
    assert (job.status, seen) == ("completed", [10, 60])
    assert [one.path for one in hub.seen] == ["/api/progress/j1/events", "/api/jobs/j1"]


@pytest.mark.parametrize("act", [shows(200, "<h1>a proxy</h1>"), shows(502, "<h1>Bad gateway</h1>"), sends()])
async def test_where_events_do_not_come_through_it_asks(client: Both, hub: Hub, act: Any) -> None:
    once = client.with_options(retries=0)
    at = [says(200, progress(percent)) for percent in (10, 10, 60)]
    hub.then(act, RUNNING, at[0], RUNNING, at[1], RUNNING, at[2], DONE)
    seen: list[int] = []
    job = await once.call(lambda client: client.wait("j1", on_progress=lambda now: seen.append(now.progress)))
    assert (job.status, seen) == ("completed", [10, 60])


async def test_a_server_that_starts_anew_is_waited_for(client: Both, hub: Hub) -> None:
    away = [shows(502, "<h1>Bad gateway</h1>")] * 5
    hub.then(sends(told(10)), *away, sends(told(60), ENDED), *away, DONE)
    seen: list[int] = []
    job = await client.call(lambda client: client.wait("j1", on_progress=lambda now: seen.append(now.progress)))
    assert (job.status, seen) == ("completed", [10, 60])


async def test_a_job_that_is_not_there(client: Both, hub: Hub) -> None:
    hub.then(refuses(404, "NOT_FOUND", what="job", id="j1"))
    with pytest.raises(NotFound):
        await client.call(lambda client: client.wait("j1"))


async def test_waiting_has_an_end(client: Both, hub: Hub) -> None:
    hub.then(sends(told(10), then="stall"))
    with pytest.raises(TimedOut, match="the job j1"):
        await client.call(lambda client: client.wait("j1", timeout_s=0.15))


async def test_waiting_for_a_transcript(client: Both, hub: Hub) -> None:
    hub.then(sends(ENDED), says(200, DETAIL))
    assert (await client.call(lambda client: client.wait_for_completion("j1"))).status == "completed"
    failed = {"status": "failed", "failure_reason": "no_sound", "error": "it is silent"}
    hub.then(sends(ENDED), says(200, DETAIL | failed))
    with pytest.raises(JobFailed, match="it is silent"):
        await client.call(lambda client: client.wait_for_completion("j1"))


async def test_what_the_callback_raises_ends_the_waiting(client: Both, hub: Hub) -> None:
    hub.then(sends(told(10), then="stall"))

    def enough(_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await client.call(lambda client: client.wait("j1", on_progress=enough))


async def test_the_callback_may_make_calls(client: Both, hub: Hub) -> None:
    if not client.is_sync:
        pytest.skip("a callback of the async client cannot wait")
    hub.then(sends(told(10), then="stall"), DONE)
    with pytest.raises(ZeroDivisionError, match="completed"):
        await client.call(lambda client: client.wait("j1", on_progress=lambda _: ask(client)))


def ask(client: Client) -> None:
    raise ZeroDivisionError(client.jobs.get("j1").status)


@pytest.mark.parametrize("as_text", [True, False])
async def test_transcribing_in_one_call(client: Both, hub: Hub, tmp_path: Path, as_text: bool) -> None:
    path = tmp_path / "talk.mp3"
    path.write_bytes(b"sound")
    spoken = {"text": "hello", "segments": [], "language": "en", "duration_s": 1.5}
    hub.then(says(201, CREATED), sends(ENDED), says(200, DETAIL | {"transcript": spoken}))
    job = await client.call(lambda client: client.transcribe(str(path) if as_text else path, model="small", words=True))
    assert job.transcript.text == "hello"
    assert b'name="words"\r\n\r\ntrue' in hub.seen[0].body
    assert b'name="model"\r\n\r\nsmall' in hub.seen[0].body
    assert b'filename="talk.mp3"' in hub.seen[0].body


@pytest.mark.parametrize(
    ("fields", "reason", "words"),
    [
        ({"status": "failed", "failure_reason": "engine_crashed", "error": "it died"}, "engine_crashed", "it died"),
        ({"status": "cancelled"}, "cancelled", "cancelled"),
    ],
)
async def test_a_job_that_fails_is_an_error(
    client: Both, hub: Hub, fields: dict[str, Any], reason: str, words: str
) -> None:
    hub.then(says(201, CREATED), sends(ENDED), says(200, DETAIL | fields))
    with pytest.raises(JobFailed, match=words) as caught:
        await client.call(lambda client: client.transcribe(b"sound"))
    assert (caught.value.job_id, caught.value.failure_reason) == ("j1", reason)


def default_of(attribute: attrs.Attribute[Any]) -> Any:
    """What a member is if it is not given; a list as the tuple that stands for it in signatures."""
    made: Any = attribute.default
    return tuple(made.factory()) if hasattr(made, "factory") else made


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_the_options_are_those_of_creating_a_job(kind: type[Client | AsyncClient]) -> None:
    parameters = dict(inspect.signature(kind.transcribe).parameters)
    del parameters["self"], parameters["file"], parameters["on_progress"], parameters["timeout_s"]
    fields = {
        one.name: default_of(one) for one in attrs.fields(CreateJob) if one.name not in ("file", "idempotency_key")
    }
    defaults = {name: one.default for name, one in parameters.items()}
    assert defaults | vad_fields(defaults["vad"]) == fields  # what is one value here is several fields there
