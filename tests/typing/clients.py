"""What type checkers see of the two clients. Checked by mypy and pyright, never run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import assert_type

from attrs import frozen

from tests.unit.client.groups import Heard, Made, Odd, Text, Tick
from whispercore.api.files_v1.links import FileLinkCreated
from whispercore.api.transcriber.auth import LoggedIn, Me, Registered
from whispercore.api.transcriber.exports import FormatList
from whispercore.api.transcriber.health import Alive, Ready
from whispercore.api.transcriber.jobs import JobCreated, JobDeleted, JobDetail, JobList, JobRow, JobState
from whispercore.api.transcriber.live import Finish, FromLive, Sound, ToLive
from whispercore.api.transcriber.progress import JobEvent, JobProgress
from whispercore.api.transcriber.sharing import ShareCreated
from whispercore.api.transcriber.tags import JobTags
from whispercore.api.transcriber.transcripts import TranscriptEdited, TranscriptSegment
from whispercore.contract.transport import AsyncSocket, RawReply, SyncSocket
from whispercore.transcripts.operations import SetText
from whispercore_client import AsyncClient, Client
from whispercore_client.sync import SyncHttp
from whispercore_client.transport import AsyncHttp


def on_the_sync_client(client: Client, path: Path) -> None:
    assert_type(client.jobs.create(file=path, model="small", priority="high"), JobCreated)
    with path.open("rb") as file:
        assert_type(client.jobs.create(file=file), JobCreated)
    assert_type(client.jobs.create(file=b"..."), JobCreated)
    assert_type(client.jobs.create(file=path, languages=["de", "fr"]), JobCreated)
    assert_type(client.jobs.create(file=path, languages="de,fr"), JobCreated)
    assert_type(client.transcribe(path, languages=("de", "fr")), JobDetail)
    assert_type(client.jobs.get("id"), JobDetail)
    assert_type(client.jobs.get(job_id="id"), JobDetail)
    assert_type(client.jobs.delete("id"), JobDeleted)
    assert_type(client.jobs.cancel("id"), JobState)
    assert_type(client.jobs.retry("id"), JobState)
    assert_type(client.jobs.list(limit=3, status="failed"), JobList)
    assert_type(client.jobs.list.each(), Iterator[JobRow])
    assert_type(client.progress.get("id"), JobProgress)
    assert_type(client.progress.events("id"), Iterator[JobEvent])
    with client.live.listen(model="micro") as live:
        assert_type(live, SyncSocket[ToLive, FromLive])
        live.send(Sound(data=b"..."))
    with client.exports.download("id", "srt") as exported:
        assert_type(exported.read(), bytes)
        assert_type(exported.save(path), Path)
        assert_type(exported.chunks(), Iterator[bytes])
        assert_type(exported.filename, str | None)
    assert_type(client.exports.formats(), FormatList)
    assert_type(client.transcripts.edit("id", version=1, operations=[SetText(segment=0, text="a")]), TranscriptEdited)
    assert_type(client.transcripts.restore("id", 1, version=2), TranscriptEdited)
    assert_type(client.transcripts.segments.each("id"), Iterator[TranscriptSegment])
    assert_type(client.shares.create("id", expires_hours=1), ShareCreated)
    assert_type(client.files_v1.links.create("id", expires_hours=1), FileLinkCreated)
    assert_type(client.tags.set("id", tags=["a"]), JobTags)
    assert_type(client.auth.register(username="a", password="12345678"), Registered)  # noqa: S106
    assert_type(client.auth.login(username="a", password="12345678"), LoggedIn)  # noqa: S106
    assert_type(client.auth.me(), Me)
    assert_type(client.health.live(), Alive)
    assert_type(client.health.ready(), Ready)
    assert_type(client.wait("id", timeout_s=3.0), JobDetail)
    assert_type(client.transcribe("talk.mp3", words=True), JobDetail)
    assert_type(client.transport, SyncHttp)
    with client as same, same.with_options(timeout_s=3.0, retries=0, headers={"X-A": "1"}) as copy:
        assert_type(copy, Client)


async def on_the_async_client(client: AsyncClient, path: Path) -> None:
    task = asyncio.create_task(client.jobs.create(file=path))
    assert_type(await assert_type(task, asyncio.Task[JobCreated]), JobCreated)
    async with asyncio.TaskGroup() as group:
        got = group.create_task(client.jobs.get("id"))
    assert_type(await assert_type(got, asyncio.Task[JobDetail]), JobDetail)
    assert_type(await client.jobs.delete("id"), JobDeleted)
    assert_type(await client.jobs.cancel("id"), JobState)
    assert_type(await client.jobs.list(limit=3), JobList)
    assert_type(client.jobs.list.each(created_after=None), AsyncIterator[JobRow])
    assert_type(await client.progress.get("id"), JobProgress)
    assert_type(client.progress.events("id", last_event_id="7"), AsyncIterator[JobEvent])
    async with client.live.listen(session_id="id", after=3) as live:
        assert_type(live, AsyncSocket[ToLive, FromLive])
        await live.send(Finish())
    async with client.exports.download("id", "srt") as exported:
        assert_type(await exported.read(), bytes)
        assert_type(await exported.save(path), Path)
        assert_type(exported.chunks(), AsyncIterator[bytes])
    assert_type(await client.auth.login(username="a", password="12345678"), LoggedIn)  # noqa: S106
    assert_type(await client.auth.me(), Me)
    assert_type(await client.health.ready(), Ready)
    assert_type(await client.wait("id", on_progress=told), JobDetail)
    assert_type(await client.transcribe(b"...", model="small", on_progress=told), JobDetail)
    assert_type(client.transport, AsyncHttp)
    async with client as same, same.with_options(on_upload=counted) as copy:
        assert_type(copy, AsyncClient)


def groups_of_others(client: Client) -> None:
    odd = Odd(client.transport)
    assert_type(odd.make(name="n", key="k"), Made)
    assert_type(odd.ticks(), Iterator[Tick])
    assert_type(odd.upload(id="x", body=b""), RawReply)
    with odd.talk() as socket:
        socket.send(Text(text="a"))
        assert_type(socket.receive(), Heard)
        socket.send(Stranger())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def groups_of_others_async(client: AsyncClient) -> None:
    odd = Odd(client.transport)
    assert_type(await odd.make(name="n"), Made)
    assert_type(odd.ticks(), AsyncIterator[Tick])
    assert_type(await odd.upload(id="x"), RawReply)
    async with odd.talk() as socket:
        await socket.send(Text(text="a"))
        assert_type(await socket.receive(), Heard)


def what_is_refused(client: Client) -> None:
    client.jobs.get()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.jobs.list(status="done")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.jobs.create(modle="small", file=b"")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.transcribe(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.nothing.get("id")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


async def what_is_refused_async(client: AsyncClient) -> None:
    await client.jobs.get(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.jobs.get("id")  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]


@frozen
class Stranger:
    """No message of any channel."""


def told(progress: JobProgress) -> None:
    assert_type(progress.progress, int)


def counted(sent: int, total: int | None) -> None:
    assert_type(sent, int)
    assert_type(total, int | None)
