"""Benchmarks against others: they are measured where they are, and where they are not, that is said."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import whispercore
from tests.benchmarks.test_quick import ROOT
from tests.live import ADMIN_KEY, live, settings_for
from whispercore.engines.pool import EnginePool
from whispercore_server.plugins.openai import PLUGIN as OPENAI

pytestmark = pytest.mark.timeout(600)
PROGRAMS = ("whisper-cli", "whisper-server")


def measured(folder: Path, *arguments: str, **environment: str) -> tuple[list[dict[str, Any]], str]:
    """The results of a quick run, and its table."""
    figures = folder / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--json", figures, *arguments],
        cwd=ROOT,
        env={**os.environ, "WHISPERCORE_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(figures.read_text())["results"], done.stdout


def test_who_is_not_here_is_not_measured(tmp_path: Path) -> None:
    names = (*PROGRAMS, "peers")
    only = [word for name in names for word in ("--only", name)]
    results, table = measured(tmp_path, *only, PATH=str(tmp_path))
    assert [result["name"] for result in results] == list(names)
    assert all(not result["figures"] for result in results)
    assert [result["how"] for result in results] == [
        "Not measured: whisper-cli is not on the path.",
        "Not measured: whisper-server is not on the path.",
        "Not measured: no server was named: --peer URL THEIR_MODEL OUR_MODEL.",
    ]
    assert table.count("| not measured |") == len(names)
    assert "| yes |" not in table


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason="whisper.cpp's programs are not on the path")
def test_programs_that_are_here(name: str, tmp_path: Path) -> None:
    ((result,), _) = measured(tmp_path, "--only", name)
    assert result["figures"], result["how"]
    assert {figure["value"] for figure in result["figures"] if figure["unit"] == "%"} == {0.0}


def test_servers_at_addresses(tmp_path: Path) -> None:
    """One with OpenAI's API, ours; one like whisper-asr-webservice, with a real engine; and one that is away."""
    with EnginePool() as pool, socket.socket() as nobody:

        async def asr(http: web.Request) -> web.Response:
            sound = (await http.post())["audio_file"]
            assert isinstance(sound, web.FileField)
            path = tmp_path / f"{id(http)}.wav"
            path.write_bytes(sound.file.read())
            language = http.query["language"]
            heard = await whispercore.stream(path, model="micro", language=language, threads=1, pool=pool)
            return web.json_response({"text": heard.text, "language": language})

        async def openapi(_: web.Request) -> web.Response:
            return web.json_response({"paths": {"/asr": {}, "/detect-language": {}}})

        def beside(app: web.Application) -> web.Application:
            host = web.Application()
            host.router.add_post("/asr", asr)
            host.router.add_get("/openapi.json", openapi)
            host.add_subapp("/speech", app)
            return host

        nobody.bind(("127.0.0.1", 0))
        away = f"127.0.0.1:{nobody.getsockname()[1]}"
        with live(settings_for(tmp_path / "data"), plugins=(OPENAI,), around=beside) as server:
            peers = [f"{server.url}/speech/v1", server.url, f"http://{away}"]
            words = [word for url in peers for word in ("--peer", url, "micro", "micro")]
            ((result,), _) = measured(tmp_path, "--only", "peers", *words, PEER_KEY=ADMIN_KEY)
    figures = result["figures"]
    assert [figure["value"] for figure in figures if figure["unit"] == "%"] == [0.0, 0.0]
    assert all(figure["met"] is None for figure in figures)
    assert any(note.startswith(f"{away}: not measured: it cannot be reached") for note in result["notes"])
    assert ADMIN_KEY not in json.dumps(result)
