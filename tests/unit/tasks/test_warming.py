"""Models that are loaded before anybody asks."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path

import aiohttp
import pytest
from attrs import evolve

from tests.live import live, settings_for
from tests.speech import AUDIO, truth
from tests.waiting import until
from whispercore.engines.pool import EnginePool
from whispercore.errors import EngineFailed
from whispercore.settings import Settings
from whispercore.tasks.warming import warm_up
from whispercore.testing import ScriptedEngine


async def test_a_warm_model_has_computed_and_stays(caplog: pytest.LogCaptureFixture) -> None:
    engine = ScriptedEngine()
    with EnginePool(keep_alive_s=0.0, find=lambda _: engine) as pool, caplog.at_level(logging.INFO):
        await warm_up(pool, ("small", "micro", "no model at all"), Settings())
        assert (pool.loaded, engine.loads, len(engine.calls)) == (1, 1, 1)
    told = [record.getMessage() for record in caplog.records if record.name == "whispercore.tasks.warming"]
    assert told[0] == "the model small is not warmed up: it is not on this machine"
    assert told[1].startswith("the model micro is warm after ")
    assert told[2].startswith("the model no model at all is not warmed up: ")


@pytest.mark.parametrize("error", [EngineFailed("out of order"), OSError("the engine failed: out of order")])
async def test_one_that_cannot_compute_keeps_nobody_from_working(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    engine = ScriptedEngine(lambda _: error)
    with EnginePool(find=lambda _: engine) as pool:
        await warm_up(pool, ("micro", "micro"), Settings())
    assert [one.getMessage() for one in caplog.records if "warmed up" in one.getMessage()] == [
        "the model micro is not warmed up: the engine failed: out of order"
    ] * 2


async def test_a_server_that_ends_meanwhile_ends_that_too() -> None:
    begun, ended = threading.Event(), threading.Event()

    class Slow(ScriptedEngine):
        def _work(self, control: object) -> None:
            begun.set()
            super()._work(control)  # type: ignore[arg-type]
            ended.set()

    with EnginePool(find=lambda _: Slow(lambda _: "done", seconds=3600)) as pool:
        warming = asyncio.create_task(warm_up(pool, ("micro",), Settings()))
        await until(begun.is_set)
        warming.cancel()
        await asyncio.wait((warming,))
    assert warming.cancelled()
    assert not ended.is_set()


@pytest.fixture
def recording() -> bytes:
    return (AUDIO / next(iter(truth()))).read_bytes()


async def test_a_model_that_does_not_fit_into_memory_is_503(
    tmp_path: Path, recording: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(tmp_path, warm_models=("micro",))
    small = evolve(settings, library=evolve(settings.library, models_memory_mb=1))
    with live(small) as server:
        await until(lambda: any("not warmed up" in one.getMessage() for one in caplog.records))
        headers = {"Authorization": f"Bearer {server.admin_key}"}
        form = aiohttp.FormData({"model": "micro"})
        form.add_field("file", recording, filename="talk.wav")
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{server.url}/v1/audio/transcriptions", data=form) as answer,
        ):
            body = await answer.json()
            assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
    assert body["error"]["code"] == "service_unavailable"
    assert "the model micro needs about" in body["error"]["message"]
    assert server.ports.engines.loaded == 0
