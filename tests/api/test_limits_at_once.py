"""What each user may store, and how many jobs may wait, where many recordings come in at once."""

from __future__ import annotations

import asyncio
import io
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.live import live, settings_for
from tests.on_disk import stored_in
from tests.visitor import registered
from tests.waiting import until
from whispercore.tasks.submission import Accepted, Submissions

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
    return {one.parent.name for one in stored_in(folder)}


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> None:
    """All recordings have been looked at when the first one is kept."""
    looked_at, all_are_here = 0, asyncio.Event()
    accept = Submissions.accept

    async def accept_together(*of: Any, **options: Any) -> Accepted:
        nonlocal looked_at
        accepted = await accept(*of, **options)
        looked_at += 1
        if looked_at == AT_ONCE:
            all_are_here.set()
        await all_are_here.wait()
        return accepted

    monkeypatch.setattr(Submissions, "accept", accept_together)


@pytest.mark.usefixtures("together")
@pytest.mark.parametrize(("limit", "refusal"), [({"user_quota_mb": 1}, 507), ({"max_queue": 1}, 503)])
async def test_no_more_is_kept_than_fits(
    database_url: str, tmp_path: Path, limit: dict[str, int], refusal: int
) -> None:
    settings = settings_for(tmp_path / "data", database_url=database_url, **limit)
    with live(settings, worker=False) as server:
        ann = registered(server)

        def upload() -> requests.Response:
            return ann.post("/api/jobs/", files={"file": ("a.wav", recording())}, data={"model": "micro"})

        with ThreadPoolExecutor(AT_ONCE) as threads:
            answers = list(threads.map(lambda _: upload(), range(AT_ONCE)))
        assert sorted(one.status_code for one in answers) == [201] + [refusal] * (AT_ONCE - 1)
        assert all(int(one.headers["Retry-After"]) > 0 for one in answers if one.status_code == 503)
        assert ann.get("/api/jobs/").json()["total"] == 1
        store = settings.data / "files"
        await until(lambda: not recordings_in(store / "staging"))
        assert len(recordings_in(store)) == 1
