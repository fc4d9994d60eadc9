"""What each user may store, where many of his recordings come in at once."""

from __future__ import annotations

import asyncio
import io
import wave
from pathlib import Path

import pytest

from tests.live import live, settings_for
from tests.visitor import registered
from tests.waiting import until
from whispercore.tasks.submission import Submissions

AT_ONCE = 6
FRAMES = 350_000
"""Of two bytes each: one such recording fits into a megabyte, and no second one."""


def recording() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writing:
        writing.setnchannels(1)
        writing.setsampwidth(2)
        writing.setframerate(16_000)
        writing.writeframes(bytes(2 * FRAMES))
    return file.getvalue()


def recordings_in(folder: Path) -> set[str]:
    return {one.parent.name for one in folder.rglob("*") if one.is_file()}


async def test_no_more_is_kept_than_fits(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All have been looked at when the first one is kept."""
    looked_at, all_are_here = 0, asyncio.Event()
    check_queue = Submissions.check_queue

    async def together(submissions: Submissions) -> None:
        nonlocal looked_at
        looked_at += 1
        if looked_at == AT_ONCE:
            all_are_here.set()
        await all_are_here.wait()
        await check_queue(submissions)

    monkeypatch.setattr(Submissions, "check_queue", together)
    settings = settings_for(tmp_path / "data", database_url=database_url, user_quota_mb=1)
    with live(settings, worker=False) as server:
        ann = registered(server)

        def upload() -> int:
            answer = ann.post("/api/jobs/", files={"file": ("a.wav", recording())}, data={"model": "micro"})
            return answer.status_code

        answers = await asyncio.gather(*(asyncio.to_thread(upload) for _ in range(AT_ONCE)))
        assert sorted(answers) == [201] + [507] * (AT_ONCE - 1)
        assert ann.get("/api/jobs/").json()["total"] == 1
        store = settings.data / "files"
        await until(lambda: not recordings_in(store / "staging"))
        assert len(recordings_in(store)) == 1
