"""kill -9 while old transcripts are sealed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve

from tests.api.transcriber.test_sealed_texts import EDITED, World, edited
from tests.live import live, settings_for
from tests.visitor import Visitor, registered
from whispercore_server.sealing import seal_transcripts

ROOT = Path(__file__).parents[2]


def killed(data: Path, when: str) -> None:
    command = [sys.executable, "-m", "tests.crash.sealing_process", str(data), when]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -9


def found(owner: Visitor) -> int:
    total: int = owner.post("/api/search/", json={"query": "Quillfeather"}).json()["total"]
    return total


def texts(owner: Visitor, worlds: list[World]) -> list[str]:
    return [
        segment["text"]
        for world in worlds
        for segment in owner.get(f"/api/transcripts/{world.id}/segments").json()["segments"]
    ]


def lying(data: Path, words: set[bytes]) -> set[bytes]:
    contents = [path.read_bytes().lower() for path in data.rglob("*") if path.is_file()]
    return {word for word in words if any(word.lower() in content for content in contents)}


@pytest.mark.parametrize(("when", "left"), [("in the midst", 1), ("clearing up", 0)])
def test_no_transcript_is_lost_and_none_stays_in_clear(when: str, left: int, tmp_path: Path, audio: Path) -> None:
    data = tmp_path / "data"
    settings = settings_for(data)
    with live(settings) as server:
        owner = registered(server)
        worlds = [edited(owner, audio) for _ in range(2)]
        assert found(owner) == 2
    killed(data, when)
    with live(settings, worker=False) as server:  # it works with some of either kind
        owner = evolve(owner, server=server)
        assert texts(owner, worlds) == [EDITED] * 2
        assert found(owner) == left
    sealing = evolve(settings, encrypt_transcripts=True)
    assert asyncio.run(seal_transcripts(sealing, tell=str)) == left
    assert lying(data, worlds[0].words()) == set()
    with live(sealing, worker=False) as server:
        owner = evolve(owner, server=server)
        assert texts(owner, worlds) == [EDITED] * 2
        assert found(owner) == 0
