"""A job waits for a database or a store that is away: that costs no attempt, and nothing is done twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.installation import EVE, Installation, installation
from tests.unit.files.bytes_of_files import left_in_spool
from whispercore.database.tables import files as files_table
from whispercore.engines.pool import EnginePool
from whispercore.errors import ClaimLost, Unavailable
from whispercore.files.manifest import Staged
from whispercore.files.parts import Parts
from whispercore.jobs import patience
from whispercore.jobs.claim import Claim
from whispercore.jobs.job import Job, NewJob, State
from whispercore.jobs.worker import Worker
from whispercore.settings import Settings
from whispercore.tasks.options import VERSION, TranscribeOptions
from whispercore.tasks.transcribe import KIND, Transcribe
from whispercore.testing import ScriptedEngine


@pytest.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Installation]:
    monkeypatch.setattr(patience, "AGAIN_S", 0.01)
    async with installation(tmp_path / "data") as made:
        yield made


class Away:
    """What cannot be reached the first two times that each of its calls is made."""

    def __init__(self) -> None:
        self.refused = Counter[str]()

    def refusing(self, name: str, call: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        async def refused(*arguments: Any, **options: Any) -> Any:
            if self.refused[name] < 2:
                self.refused[name] += 1
                raise Unavailable("it cannot be reached", 1)
            return await call(*arguments, **options)

        return refused


async def addressed(here: Installation) -> Job:
    """A job whose recording is to be fetched."""
    options = TranscribeOptions(model="micro", url="https://example.org/talk.wav")
    new = NewJob(owner_id=EVE.user_id, kind=KIND, options=options.dump(), payload_version=VERSION, model="micro")
    async with here.database.write() as tx:
        return await here.jobs.enqueue(tx, new)


async def staged(here: Installation, recording: Path) -> Staged:
    data = await asyncio.to_thread(recording.read_bytes)

    async def chunks() -> AsyncIterator[bytes]:
        yield data

    return await here.files.stage(chunks(), name=recording.name)


async def claimed(here: Installation) -> Claim:
    claim = await here.jobs.queue.claim("w", (KIND,))
    assert claim is not None
    return claim


async def test_an_attempt_outlasts_what_is_away(
    here: Installation, audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Away()
    for of, name in ((here.files, "get"), (here.files, "publish"), (Claim, "report"), (Parts, "link")):
        monkeypatch.setattr(of, name, away.refusing(name, getattr(of, name)))
    job = await addressed(here)
    fetch = away.refusing("fetch", lambda _: staged(here, audio / "clip01-en.wav"))
    with EnginePool(find=lambda _: ScriptedEngine(lambda _: "done all the same")) as pool:
        transcribe = Transcribe(
            files=here.files,
            pool=pool,
            settings=Settings.from_environment(),
            fetch=fetch,
            reuse=True,
        )
        working = asyncio.create_task(Worker(here.jobs, {KIND: transcribe}, name="w").run())
        try:
            job = await here.over(job)
        finally:
            working.cancel()
            await asyncio.wait((working,))
    transcript = await here.jobs.transcript(job)
    assert (job.state, job.attempt, job.failures) == (State.COMPLETED, 1, 0)
    assert transcript is not None
    assert transcript.text == "done all the same"
    assert away.refused == {"get": 2, "publish": 2, "report": 2, "link": 2, "fetch": 2}
    assert left_in_spool(tmp_path / "data") == []


@pytest.mark.parametrize("committed", [False, True])
async def test_a_recording_is_kept_once(
    here: Installation, audio: Path, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """Whether the database went away before the transaction was committed, or after, before anybody heard of it."""
    job, came = await addressed(here), await staged(here, audio / "clip01-en.wav")
    claim, write, lost = await claimed(here), here.database.write, list[str]()

    @contextlib.asynccontextmanager
    async def unheard() -> AsyncIterator[AsyncConnection]:
        if not committed and not lost:
            lost.append("before")
            raise Unavailable("it cannot be reached", 1)
        async with write() as tx:
            yield tx
        if not lost:
            lost.append("after")
            raise Unavailable("nobody knows", 1)

    async def keep(tx: AsyncConnection) -> None:
        await here.files.keep(tx, came, EVE.user_id)

    with monkeypatch.context() as patched:
        patched.setattr(here.database, "write", unheard)
        await claim.received(keep, file_id=came.id, name=came.name)
    assert lost == ["after" if committed else "before"]
    assert [row.id for row in await here.database.rows(select(files_table.c.id))] == [came.id]
    assert (await here.jobs.owned(job.id, EVE)).file_id == came.id


async def test_who_has_lost_the_job_keeps_no_recording(here: Installation, audio: Path) -> None:
    job, came = await addressed(here), await staged(here, audio / "clip01-en.wav")
    claim = await claimed(here)
    await here.jobs.cancel(job.id, EVE)

    async def keep(tx: AsyncConnection) -> None:
        await here.files.keep(tx, came, EVE.user_id)

    with pytest.raises(ClaimLost):
        await claim.received(keep, file_id=came.id, name=came.name)
    assert await here.database.rows(select(files_table.c.id)) == []
