"""What the command does with recordings, in this process: one engine serves all these tests."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import docx
import pytest
from attrs import evolve
from typer.testing import CliRunner, Result

from whispercore import EngineError, Segment, Transcript, formats
from whispercore.engines.whispercpp import engine
from whispercore.errors import EngineCrashed, InvalidOption, ModelDamaged
from whispercore.formats import FORMATS
from whispercore.formats.json import read
from whispercore_server.cli import app
from whispercore_server.cli.exits import ExitCode

from .conftest import AUDIO

ONE, TWO, GERMAN = "clip01-en.wav", "clip02-en.wav", "clip13-de.wav"
SAID = {
    ONE: "the teacher is in the station\n",
    TWO: "minute many transcript back quick over year\n",
    GERMAN: "sechs weiß sieben sonntag buch\n",
}


@pytest.fixture(autouse=True)
def _among_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(AUDIO)


def transcribe(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["transcribe", "-m", "micro", *map(str, arguments)])


def test_text_on_stdout_and_nothing_else() -> None:
    result = transcribe(ONE)
    assert (result.exit_code, result.stdout, result.stderr) == (0, SAID[ONE], "")


def test_several_in_their_order_with_titles() -> None:
    result = transcribe("jfk.wav", ONE, "missing.wav", ONE, "-l", "en")
    assert result.exit_code == ExitCode.UNREADABLE
    titles = [line for line in result.stdout.splitlines() if line.startswith("==>")]
    assert titles == ["==> jfk.wav <==", f"==> {ONE} <==", f"==> {ONE} <=="]
    assert result.stdout.endswith(f"\n\n==> {ONE} <==\n{SAID[ONE]}\n==> {ONE} <==\n{SAID[ONE]}")
    assert result.stderr == "error: missing.wav: No such file or directory\n"


def test_formats_on_stdout() -> None:
    result = transcribe(ONE, "-l", "en", "-f", "srt")
    assert result.stdout == "1\n00:00:00,320 --> 00:00:02,220\nthe teacher is in the station\n"
    assert result.stderr == ""


def test_options_of_formats(tmp_path: Path) -> None:
    result = transcribe(ONE, "-l", "en", "-f", "srt", "-O", "line_length=12", "-O", "lines=1")
    assert [line for line in result.stdout.splitlines() if line.islower()] == ["the teacher", "is in the", "station"]
    timed = transcribe(ONE, "-l", "en", "-O", "layout=timestamps")
    assert timed.stdout == "[00:00:00.320 --> 00:00:02.220] the teacher is in the station\n"
    made = transcribe(ONE, "-l", "en", "-f", "docx", "-f", "srt", "-O", "layout=plain", "-o", tmp_path)
    assert (made.exit_code, made.stdout, made.stderr) == (0, "", "")
    texts = [one.text for one in docx.Document(str(tmp_path / "clip01-en.docx")).paragraphs]
    assert texts == ["clip01-en", SAID[ONE].strip()]


def test_a_format_that_cannot_hold_it_costs_no_other_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(transcript: object, options: object) -> str:
        raise InvalidOption("format", "ass cannot hold this")

    refusing = evolve(FORMATS["ass"], writer=refuse)
    monkeypatch.setattr(formats, "FORMATS", {**FORMATS, "ass": refusing})
    result = transcribe(ONE, "-l", "en", "-f", "ass", "-f", "txt", "-o", tmp_path)
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr == "error: format: ass cannot hold this\n"
    assert (tmp_path / "clip01-en.txt").read_text() == SAID[ONE]


def test_words_in_json() -> None:
    transcript = read(transcribe(ONE, "-l", "english", "-f", "json", "--words").stdout)
    assert [word.text for word in transcript.words] == SAID[ONE].split()
    assert transcript.model == "micro"


def test_the_ending_of_the_output_is_its_format(tmp_path: Path) -> None:
    result = transcribe(ONE, "-l", "en", "-o", tmp_path / "new" / "x.vtt")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert (tmp_path / "new" / "x.vtt").read_text().startswith("WEBVTT\n")


def test_several_files_and_formats(tmp_path: Path) -> None:
    result = transcribe(ONE, GERMAN, "-f", "txt", "-f", "json", "-o", tmp_path / "out")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    found = {path.name: path for path in (tmp_path / "out").iterdir()}
    assert sorted(found) == ["clip01-en.json", "clip01-en.txt", "clip13-de.json", "clip13-de.txt"]
    assert found["clip13-de.txt"].read_text() == SAID[GERMAN]
    assert json.loads(found["clip13-de.json"].read_text())["language"] == "de"


def test_a_model_that_goes_on() -> None:
    result = transcribe(ONE, "-l", "en", "-m", "nobody:micro", "--fallback", "micro")
    assert (result.exit_code, result.stdout) == (0, SAID[ONE])
    assert result.stderr.startswith(f"warning: {ONE}: nobody:micro was passed over: no engine is called 'nobody'")
    assert transcribe(ONE, "-l", "en", "-m", "nobody:micro").exit_code == 1


@pytest.mark.parametrize(
    ("files", "options", "threads"),
    [((ONE, TWO), (), 3), ((ONE, TWO, ONE), (), 3), ((ONE, TWO), ("--threads", 2), 2), ((ONE,), ("--threads", 1), 1)],
)
def test_several_recordings_share_the_cores(
    files: tuple[str, ...], options: tuple[object, ...], threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(engine, "cores", lambda: 6)
    assert transcribe(*files, *options, "-l", "en", "-f", "json", "-o", tmp_path / "out").exit_code == 0
    found = [read(path.read_text()).fingerprint.threads for path in (tmp_path / "out").iterdir()]
    assert found == [threads] * len(files)


def test_dash_is_stdout() -> None:
    assert transcribe(ONE, "-l", "en", "-o", "-").stdout == SAID[ONE]


def test_a_damaged_recording(cut: Path, tmp_path: Path) -> None:
    result = transcribe(cut, ONE, "-l", "en", "-o", tmp_path / "out")
    assert result.exit_code == ExitCode.UNREADABLE
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["clip01-en.txt"]
    assert result.stderr.startswith(f"error: {cut} is cut off: ")
    assert result.stderr.endswith("1.9 s could be read. Add --keep-damaged for the transcript of that part\n")


def test_keeping_damaged(cut: Path) -> None:
    result = transcribe(cut, "-l", "en", "--keep-damaged")
    assert (result.exit_code, result.stdout) == (0, SAID[ONE])
    assert result.stderr.startswith(f"warning: {cut} is cut off: ")
    assert "--keep-damaged" not in result.stderr
    assert transcribe(cut, "-l", "en", "--keep-damaged", "-q").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([ONE, "-l", "klingon"], 2, "error: language: 'klingon' is not one of the "),
        ([ONE, "-f", "doc"], 2, "error: --format: 'doc' is not one of txt, "),
        ([ONE, "-f", "txt", "-f", "srt"], 2, "error: --format: several formats need a folder"),
        ([ONE, "-f", "pdf"], 2, "error: --format: pdf is no text for standard output: add --output FILE"),
        ([ONE, "-O", "layout"], 2, "error: --option: 'layout' is not of the form NAME=VALUE"),
        ([ONE, "-o", ONE], 2, "error: --output: clip01-en.wav is one of the recordings"),
        (["-", "-"], 2, "error: FILE: standard input (-) can be read only once"),
        ([], 2, "Usage: "),
        ([ONE, "--beam-size", "9"], 2, "Usage: "),
        ([ONE, "--channels", "left"], 2, "Usage: "),
        (["missing.wav"], 3, "error: missing.wav: No such file or directory"),
        (["."], 3, "error: .: Is a directory"),
        (["transcripts.json"], 3, "error: transcripts.json is not audio or video: "),
        ([ONE, "-m", "mikro"], 4, "error: no model is called 'mikro'. Did you mean micro?"),
        ([ONE, "-m", "tiny"], 4, "error: the model 'tiny' is not on this machine"),
        ([ONE, "-m", "./transcripts.json"], 4, "error: transcripts.json cannot be used as a model: "),
    ],
)
def test_exit_codes(arguments: list[str], code: int, message: str) -> None:
    result = transcribe(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith(message)
    assert "Traceback" not in result.stderr


def test_no_model_is_fetched_for_nothing() -> None:
    assert transcribe("missing.wav", "-m", "tiny").exit_code == ExitCode.UNREADABLE


def test_offline_keeps_from_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHISPERCORE_OFFLINE")
    monkeypatch.setenv("WHISPERCORE_HUB", "http://127.0.0.1:1")
    result = transcribe(ONE, "-m", "tiny", "--offline")
    assert result.exit_code == ExitCode.NO_MODEL
    assert "offline mode forbids" in result.stderr


class _Fake:
    """In place of a transcription: gives one segment, then what it was told."""

    def __init__(self, end: Exception | Transcript) -> None:
        self._end = end
        self.transcript: Transcript | None = None
        self.progress = SimpleNamespace()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Segment]:
        yield Segment(text="said", start_s=0.0, end_s=1.0)
        if isinstance(self._end, Exception):
            raise self._end
        self.transcript = self._end

    def cancel(self) -> None:
        pass


def faked(ends: list[Exception]) -> Callable[..., _Fake]:
    return lambda *_, **__: _Fake(ends.pop(0))


def test_the_first_failure_gives_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whispercore.stream", faked([EngineCrashed("signal 11"), OSError(5, "Input/output error")]))
    result = transcribe(ONE, TWO)
    assert result.exit_code == ExitCode.FAILED
    assert result.stderr == f"error: {ONE}: the engine's process died: signal 11.\nerror: {TWO}: Input/output error\n"


def test_what_all_would_suffer_from_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whispercore.stream", faked([ModelDamaged("m", "broken"), ModelDamaged("m", "broken")]))
    result = transcribe(ONE, TWO)
    assert (result.exit_code, result.stderr) == (4, "error: m cannot be used as a model: broken\n")


def test_faults_of_the_program_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whispercore.stream", faked([ZeroDivisionError()]))
    assert isinstance(transcribe(ONE).exception, ZeroDivisionError)


def test_nothing_is_logged_at_the_usual_level(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        transcribe(ONE, "-l", "en")
    assert caplog.records == []
    assert issubclass(EngineCrashed, EngineError)
