"""What seed 002 shows is what the server answers, by hand and through both clients: names and types at every depth."""

from __future__ import annotations

import asyncio
import base64
import importlib
import io
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import opentelemetry.trace
import pytest
from attrs import frozen

from tests.both_clients import Both, both
from tests.golden import Block, Json, blocks, differences
from tests.live import Live, live, settings_for
from tests.minimal import filled, ids_in
from tests.speech import AUDIO
from tests.visitor import Visitor, registered
from whispercore.api.files_v1.files import Files
from whispercore.api.files_v1.keys import Keys
from whispercore.api.files_v1.transcriptions import Transcriptions
from whispercore.api.v1.jobs import Jobs
from whispercore.contract.dialect import Meta
from whispercore.contract.endpoint import Operation
from whispercore.contract.wire import plain
from whispercore.errors import InvalidRequest
from whispercore.jobs.job import NewJob
from whispercore.testing.making_jobs import transcript
from whispercore_server.logs import OURS, configure
from whispercore_server.measuring import REQUESTS

BLOCKS = list(blocks("002"))
LOG = "OpenTelemetry Integration"
"""What the line of a log stands under."""
RECORDING = AUDIO / "clip01-en.wav"
_SDK = "opentelemetry.sdk.trace"


@frozen
class Documented:
    """Somebody with what the seed's requests are about."""

    owner: Visitor

    @property
    def server(self) -> Live:
        return self.owner.server

    def completed(self) -> str:
        """A completed job with a speaker."""
        return self.server.run(self._job(is_completed=True))

    def waiting(self) -> str:
        return self.server.run(self._job(is_completed=False))

    def cancelled(self) -> str:
        job_id = self.waiting()
        assert self.owner.post(f"/api/v1/jobs/{job_id}/cancel").status_code == 200
        return job_id

    async def _job(self, *, is_completed: bool) -> str:
        ports, kind = self.server.ports, "scripted" if is_completed else "waiting"
        async with ports.database.write() as tx:
            new = NewJob(owner_id=self.owner.user_id, kind=kind, filename="recording.mp3", model="micro")
            job = await ports.jobs.enqueue(tx, new)
        if is_completed:
            claim = await ports.jobs.queue.claim("tests", (kind,))
            assert claim is not None
            await claim.complete(transcript(2))
        return job.id

    def file(self) -> str:
        """A file whose job is completed."""
        file = self.uploaded()
        self.owner.finished(str(file["job_id"]))
        return str(file["id"])

    def shared(self) -> tuple[str, str]:
        """A file, and somebody with whom it can be shared."""
        return str(self.uploaded()["id"]), registered(self.server).user_id

    def uploaded(self) -> dict[str, Json]:
        answer = self.owner.upload(RECORDING, "/api/v1/files/upload")
        assert answer.status_code == 201, answer.text
        body: dict[str, Json] = answer.json()
        return body


@frozen
class Shown:
    """The operation of a sample, and what it is asked about."""

    operation: Operation
    about: Callable[[Documented], str | tuple[str, ...]] | None = None
    """Makes the ids in its path."""
    fields: tuple[tuple[str, str], ...] = ()

    async def by_hand(self, documented: Documented) -> Json:
        if self.operation is Files.upload:
            return await asyncio.to_thread(documented.uploaded)
        path = self.operation.path
        path = filled(path, dict(zip(ids_in(path), await self._ids(documented), strict=True)))
        send = partial(documented.owner.send, self.operation.method, path, params=dict(self.fields))
        answer = await asyncio.to_thread(send)
        assert answer.status_code == self.operation.status, answer.text
        body: Json = answer.json()
        return body

    async def _ids(self, documented: Documented) -> tuple[str, ...]:
        if self.about is None:
            return ()
        made = await asyncio.to_thread(self.about, documented)
        return (made,) if isinstance(made, str) else made

    async def through(self, client: Both, documented: Documented) -> Json:
        api = "v1" if self.operation.group is Jobs else "files_v1"
        asked = await self._ids(documented)
        fields: dict[str, Any] = dict(self.fields)
        if self.operation is Files.upload:
            fields = {"file": RECORDING, "model": "micro"}

        def call(c: Any) -> Any:
            return getattr(getattr(getattr(c, api), self.operation.group.tag), self.operation.attribute)(
                *asked, **fields
            )

        return plain(await client.call(call))


SHOWN = {
    "POST /api/v1/files/upload": Shown(Files.upload),
    "GET /api/v1/files/{file_id}": Shown(Files.get, Documented.file),
    "GET /api/v1/jobs/{job_id}": Shown(Jobs.get, Documented.waiting),
    "GET /api/v1/jobs": Shown(Jobs.list, fields=(("status", "completed"),)),
    "POST /api/v1/jobs/{job_id}/cancel": Shown(Jobs.cancel, Documented.waiting),
    "POST /api/v1/jobs/{job_id}/retry": Shown(Jobs.retry, Documented.cancelled),
    "GET /api/v1/keys/files/{file_id}/key": Shown(Keys.get, Documented.file),
    "POST /api/v1/keys/files/{file_id}/shares/{user_id}": Shown(Keys.share, Documented.shared),
    "GET /api/v1/transcriptions/{job_id}": Shown(Transcriptions.get, Documented.completed),
}


async def first_event(client: Both | None, documented: Documented) -> Json:
    file_id = await asyncio.to_thread(documented.file)
    if client is not None:
        return plain(await client.first(lambda c: c.files_v1.files.events(file_id)))

    def by_hand() -> Json:
        with documented.owner.get(f"/api/v1/files/{file_id}/events", stream=True) as stream:
            assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            lines = stream.iter_lines(decode_unicode=True)
            assert next(line for line in lines if line.startswith("event:")) == "event: upload_progress"
            data: Json = json.loads(next(lines).removeprefix("data: "))
        return data

    return await asyncio.to_thread(by_hand)


async def an_error(client: Both | None, documented: Documented) -> Json:
    if client is not None:
        with pytest.raises(InvalidRequest) as refused:
            await client.call(lambda c: c.files_v1.files.upload(file=RECORDING, model="micro", temperature=2.0))
        return Files.dialect.render(refused.value, 400, Meta(request_id="", at=datetime.now(UTC)))
    answer = await asyncio.to_thread(documented.owner.get, "/api/v1/files?limit=1000")
    assert answer.status_code == 400
    body: dict[str, Json] = answer.json()
    assert body.keys() == {"code", "message", "details"}
    return body


async def claims(_: Both | None, documented: Documented) -> Json:
    payload = documented.owner.token.split(".")[1]
    found: dict[str, Json] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert found["sub"] == documented.owner.user_id
    return found


Ask = Callable[[Both | None, Documented], Awaitable[Json]]
OTHERS: dict[str, Ask] = {"upload_progress": first_event, "Error Handling": an_error, "Authentication": claims}
"""Events by name, and what stands under a heading that is no endpoint."""


def test_every_sample_is_compared_or_known_to_be_missing() -> None:
    shown = {block.event or block.heading for block in BLOCKS}
    assert len(BLOCKS) == 13
    assert shown == SHOWN.keys() | OTHERS.keys() | {LOG}


@pytest.mark.parametrize("way", ["by hand", "async", "sync"])
@pytest.mark.parametrize(
    "block", [one for one in BLOCKS if one.heading != LOG], ids=lambda one: one.event or one.heading
)
async def test_an_answer_is_as_documented(block: Block, way: str, server: Live) -> None:
    documented = Documented(await asyncio.to_thread(registered, server))
    if block.heading == "GET /api/v1/jobs":
        await asyncio.to_thread(documented.completed)
    name = block.event or block.heading
    if way == "by hand":
        found = await (SHOWN[name].by_hand(documented) if name in SHOWN else OTHERS[name](None, documented))
    else:
        async with both(way, server.url, token=documented.owner.token) as client:
            found = await (
                SHOWN[name].through(client, documented) if name in SHOWN else OTHERS[name](client, documented)
            )
    assert differences(block.value, found) == []


@contextmanager
def traced() -> Iterator[None]:
    """With the SDK of OpenTelemetry, which nothing else in this process is to see."""
    before = sys.modules.pop(_SDK, None)
    with pytest.MonkeyPatch.context() as patched:
        provider = importlib.import_module(_SDK).TracerProvider()
        patched.setattr(opentelemetry.trace, "get_tracer", provider.get_tracer)
        yield
        provider.shutdown()
    del sys.modules[_SDK]
    if before is not None:
        sys.modules[_SDK] = before


@contextmanager
def logged(server: Live) -> Iterator[io.StringIO]:
    """What a server writes to its log, as long as the block lasts."""
    root, ours = logging.getLogger(), [logging.getLogger(name) for name in (*OURS, REQUESTS)]
    handlers, levels = root.handlers, [one.level for one in (root, *ours)]
    root.handlers = []
    try:
        with redirect_stderr(io.StringIO()) as log:
            configure(server.ports.settings)
            yield log
    finally:
        root.handlers = handlers
        for one, level in zip((root, *ours), levels, strict=True):
            one.setLevel(level)


def test_a_line_of_the_log_is_as_documented(tmp_path: Path) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    settings = settings_for(tmp_path, log_format="json")
    with traced(), live(settings, worker=False) as server, logged(server) as log:
        form = {"file": ("recording.mp3", RECORDING.read_bytes()), "model": (None, "micro")}
        headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
        answer = registered(server).post("/api/v1/files/upload", files=form, headers=headers)
        assert answer.status_code == 201, answer.text
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    (found,) = [line for line in lines if line["message"] == "received a file"]
    (sample,) = [block.value for block in BLOCKS if block.heading == LOG]
    assert differences(sample, found) == []
    assert found["trace_id"] == trace_id
    assert found["attributes"]["file_name"] == "recording.mp3"
