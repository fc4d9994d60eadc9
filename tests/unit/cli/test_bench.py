import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from attrs import evolve
from typer.testing import CliRunner

from whispercore_server.cli import app
from whispercore_server.cli.bench.measuring import Figures, Measured
from whispercore_server.cli.bench.picture import svg
from whispercore_server.cli.doctor.machine import look
from whispercore_server.cli.exits import ExitCode

from .conftest import AUDIO

CLIP = str(AUDIO / "clip01-en.wav")
FAST = Figures(
    model="fast<&>",
    engine="whisper-cpp 1",
    device="cpu",
    threads=2,
    load_s=0.5,
    real_time_factor=0.1,
    first_segment_s=0.25,
    memory_bytes=123_000_000,
)
MEASURED = Measured(
    whispercore="1",
    machine=look(),
    recording="a \x1b[31m.wav",
    duration_s=10.0,
    rounds=1,
    figures=(FAST, evolve(FAST, model="slow", real_time_factor=0.4, first_segment_s=None, memory_bytes=None)),
    failed=(),
)


def test_what_works_is_measured_whatever_does_not(tmp_path: Path) -> None:
    out, picture = tmp_path / "figures.json", tmp_path / "figures.svg"
    result = CliRunner().invoke(
        app,
        [
            "bench",
            CLIP,
            "-m",
            "nobody:micro",
            "-m",
            "micro",
            "--rounds",
            "2",
            "-o",
            str(out),
            "--picture",
            str(picture),
        ],
    )
    assert result.exit_code == ExitCode.FAILED
    assert result.stderr.startswith("error: nobody:micro: no engine is called 'nobody'")
    assert result.stdout.startswith("micro: ")
    document = json.loads(out.read_text())
    (figures,) = document["figures"]
    assert (figures["model"], figures["engine"].split()[0], document["rounds"]) == ("micro", "whisper-cpp", 2)
    assert document["duration_s"] == pytest.approx(2.4, abs=2)
    assert [one["model"] for one in document["failed"]] == ["nobody:micro"]
    assert all(figures[name] > 0 for name in ("load_s", "real_time_factor", "first_segment_s"))
    assert figures["memory_bytes"] is None or figures["memory_bytes"] > 1_000_000
    assert "micro" in picture.read_text()


def test_what_cannot_be_measured() -> None:
    assert CliRunner().invoke(app, ["bench", "missing.wav", "-m", "micro"]).exit_code == ExitCode.USAGE
    assert CliRunner().invoke(app, ["bench", CLIP, "-o", "no/such/folder/file.json"]).exit_code == ExitCode.USAGE
    assert CliRunner().invoke(app, ["bench", CLIP, "--rounds", "0"]).exit_code == ExitCode.USAGE


def test_the_picture_is_one_whatever_things_are_called() -> None:
    root = ET.fromstring(svg(MEASURED))  # noqa: S314 (it is our own)
    texts = [one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "fast<&>" in texts
    assert "0.100, first segment 0.25 s, 123 MB" in texts
    assert "0.400, no segment, memory not measured" in texts
    assert not any("\x1b" in one for one in texts)
    widths = [float(one.attrib["width"]) for one in root.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert widths[1] == pytest.approx(4 * widths[0])
    assert svg(evolve(MEASURED, figures=())).endswith("</svg>\n")
