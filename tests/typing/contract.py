"""What type checkers see of groups on both clients; never executed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import assert_type

from whispercore.api.transcriber.exports import Exports
from whispercore.api.transcriber.jobs import JobCreated, JobDetail, JobList, JobRow, Jobs
from whispercore.api.transcriber.progress import JobEvent, Progress
from whispercore.contract.transport import AsyncDownload, AsyncTransport, SyncDownload, SyncTransport


def on_the_sync_client(
    jobs: Jobs[SyncTransport], progress: Progress[SyncTransport], exports: Exports[SyncTransport]
) -> None:
    assert_type(jobs.create(file=Path("talk.mp3"), model="small"), JobCreated)
    assert_type(jobs.create(file=b"..."), JobCreated)
    assert_type(jobs.get("id"), JobDetail)
    assert_type(jobs.list(limit=3), JobList)
    assert_type(jobs.list.each(status="completed"), Iterator[JobRow])
    assert_type(progress.events("id"), Iterator[JobEvent])
    assert_type(exports.download("id", "srt"), AbstractContextManager[SyncDownload, bool | None])


async def on_the_async_client(
    jobs: Jobs[AsyncTransport], progress: Progress[AsyncTransport], exports: Exports[AsyncTransport]
) -> None:
    task = asyncio.create_task(jobs.create(file=Path("talk.mp3")))
    assert_type(await assert_type(task, asyncio.Task[JobCreated]), JobCreated)
    assert_type(await jobs.get("id"), JobDetail)
    assert_type(await jobs.list(limit=3), JobList)
    assert_type(jobs.list.each(), AsyncIterator[JobRow])
    assert_type(progress.events("id"), AsyncIterator[JobEvent])
    assert_type(exports.download("id", "srt"), AbstractAsyncContextManager[AsyncDownload, bool | None])


def what_is_refused(jobs: Jobs[SyncTransport]) -> None:
    jobs.get()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    jobs.list(status="done")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    jobs.create(file=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    jobs.create(modle="small", file=b"")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
