"""``whispercore transcribe --server``: the same words, files and exit codes as on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.sounds import noise
from tests.speech import write_wav
from whispercore.formats.json import read
from whispercore_client import Client
from whispercore_server.cli import app
from whispercore_server.cli.exits import ExitCode

from .conftest import AUDIO, COMMAND, Run
from .serving import server

KEY = "a-key-for-the-tests-of-the-command-line"
THREADS = {"WHISPERCORE_THREADS": "2"}
"""On both sides: their number changes the last digits of what is computed."""
ONE, GERMAN, STEREO = "clip01-en.wav", "clip13-de.wav", "call-stereo.wav"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that serves all these tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WHISPERCORE_")}
    models = str(tmp_path_factory.mktemp("models"))
    given = {"WHISPERCORE_MODELS": models, "WHISPERCORE_OFFLINE": "1", "WHISPERCORE_ADMIN_KEY": KEY}
    with server(kept | given | THREADS, tmp_path_factory.mktemp("data")) as (running, url):
        yield url
        running.stop()


@pytest.fixture(autouse=True)
def _among_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(AUDIO)
    monkeypatch.setenv("WHISPERCORE_API_KEY", KEY)
    for name, value in THREADS.items():
        monkeypatch.setenv(name, value)


def transcribe(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["transcribe", "-m", "micro", *map(str, arguments)])


@pytest.mark.parametrize(
    "arguments",
    [
        (ONE,),
        (ONE, GERMAN, "missing.wav", ONE),
        (ONE, "-l", "english", "-f", "json", "--words"),
        (STEREO, "-f", "json", "--channels", "separate", "--beam-size", 2, "--prompt", "station"),
        (ONE, STEREO, "--channels", "separate", "--diarize", "--words", "-f", "json"),
        (GERMAN, "-f", "srt", "--translate", "--temperature", 0.2),
        ("README.md", ONE),
        ("CUT",),
        ("CUT", "--keep-damaged"),
        (GERMAN, "-f", "json", "--languages", "French,de", "--code-switching"),
        ("NOISE", "--no-vad", "-l", "en", "--hallucinations", "drop", "-f", "json"),
        (ONE, "--cut-loops", "--condition-on-previous-text"),
        (ONE, "-l", "klingon"),
        (ONE, "--languages", "de,klingon"),
        (ONE, "-l", "en", "--code-switching"),
        (ONE, "-m", "no-such-model"),
    ],
)
def test_the_same_as_on_this_machine(arguments: tuple[object, ...], url: str, cut: Path, tmp_path: Path) -> None:
    if "NOISE" in arguments:
        write_wav(tmp_path / "noise.wav", noise(10, 0.05))
    named = {"CUT": cut, "NOISE": tmp_path / "noise.wav"}
    arguments = tuple(named.get(str(one), one) for one in arguments)
    here, there = transcribe(*arguments), transcribe("--server", url, *arguments)
    assert there.exit_code == here.exit_code
    if "NOISE" in arguments:
        assert "what seems made up was left out: 0 to " in here.stderr
    if "CUT" not in arguments and here.exit_code != ExitCode.UNREADABLE:
        assert (there.stdout, there.stderr) == (here.stdout, here.stderr)


def test_what_is_said_of_recordings(url: str, cut: Path) -> None:
    assert transcribe("--server", url, "README.md").stderr.startswith("error: README.md is not audio or video: ")
    words = transcribe("--server", url, cut).stderr
    assert words.startswith(f"error: {cut} is cut off: ")
    assert words.endswith(". Add --keep-damaged for the transcript of that part\n")
    kept = transcribe("--server", url, cut, "--keep-damaged")
    assert kept.stdout == transcribe(cut, "--keep-damaged").stdout
    assert kept.stderr.startswith(f"warning: {cut} is cut off: ")


def test_several_files_and_formats(url: str, tmp_path: Path) -> None:
    arguments = (ONE, GERMAN, "-f", "vtt", "-f", "json", "-f", "tsv")
    transcribe(*arguments, "-o", tmp_path / "here")
    result = transcribe("--server", url, *arguments, "-o", tmp_path / "there")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    for path in (tmp_path / "here").iterdir():
        assert (tmp_path / "there" / path.name).read_bytes() == path.read_bytes()


def test_standard_input(url: str, run: Run) -> None:
    with (AUDIO / ONE).open("rb") as stdin:
        result = run("transcribe", "-", "-m", "micro", "--server", url, "--api-key", KEY, stdin=stdin)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"the teacher is in the station\n", b"")


def test_all_fields_come_back(url: str) -> None:
    transcript = read(transcribe("--server", url, ONE, "-f", "json", "--words").stdout)
    assert [word.text for word in transcript.words] == ["the", "teacher", "is", "in", "the", "station"]
    assert transcript.fingerprint.model_sha256


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--server", "ftp://host"), ExitCode.USAGE, "--server: it has to begin with http:// or https:// and a host"),
        (("--server", "http://[x"), ExitCode.USAGE, "--server: it is no address"),
        (("--server", "URL", "--threads", 2), ExitCode.USAGE, "--threads: it is for this machine, and --server "),
        (("--server", "URL", "--offline"), ExitCode.USAGE, "--offline: it is for this machine, and --server "),
        (("--server", "URL", "-m", "./x.bin"), ExitCode.USAGE, "--model: a server takes the names of its models"),
        (("--server", "URL", "-m", "small"), ExitCode.NO_MODEL, "the model 'small' is not on this server; it has mic"),
        (("--server", "URL", "--api-key", "x" * 40), ExitCode.FAILED, "this API key is not known"),
        (("--server", "URL", "--api-key", ""), ExitCode.USAGE, "--api-key: this server wants one; WHISPERCORE_API_KEY"),
        (("--server", "URL", "--api-key", "a b"), ExitCode.USAGE, "--api-key: it has to be printable ASCII"),
        (("--server", "http://127.0.0.1:1"), ExitCode.FAILED, "http://127.0.0.1:1/api/jobs/ cannot be reached: "),
    ],
)
def test_what_cannot_work_is_told_once(arguments: tuple[object, ...], code: ExitCode, words: str, url: str) -> None:
    result = transcribe(ONE, GERMAN, *(url if one == "URL" else one for one in arguments))
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith(f"error: {words}")
    assert result.stderr.count("error:") == 1


SLOWLY = ("-m", "micro", "-l", "en", "--beam-size", "8")
"""So that it cannot be done before it is cancelled; with a prompt of its own, no other test's result is taken."""


def test_ctrl_c_cancels_at_the_server(url: str, environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [*COMMAND, "transcribe", "talk.wav", *SLOWLY, "--prompt", "interrupted", "--server", url],
        env=environment | {"WHISPERCORE_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() != b"", "segments come before the end"
        process.send_signal(signal.SIGINT)
        process.wait(60)
        assert (process.returncode, process.stderr.read()) == (ExitCode.CANCELLED, b"cancelled\n")
    with Client(url, api_key=KEY) as client:
        newest = next(client.jobs.list.each())
        assert client.wait(newest.job_id).status == "cancelled"


def test_cancelled_by_somebody_else(url: str, environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [*COMMAND, "transcribe", "talk.wav", *SLOWLY, "--prompt", "cancelled", "--server", url],
        env=environment | {"WHISPERCORE_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        with Client(url, api_key=KEY) as client:
            client.jobs.cancel(next(client.jobs.list.each()).job_id)
        process.stdout.read()
        assert (process.wait(60), process.stderr.read()) == (ExitCode.FAILED, b"error: talk.wav: cancelled\n")


def test_a_server_that_is_killed_and_started_again_meanwhile(environment: dict[str, str], tmp_path: Path) -> None:
    environment = environment | {"WHISPERCORE_ADMIN_KEY": KEY, "WHISPERCORE_API_KEY": KEY}
    with (
        server(environment, tmp_path) as (first, url),
        subprocess.Popen(
            [*COMMAND, "transcribe", "talk.wav", "-m", "micro", "-l", "en", "--server", url],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        said = process.stdout.readline()
        first.process.kill()
        first.process.wait()
        with server(environment, tmp_path, "--port", url.rpartition(":")[2]) as (second, _):
            said += process.stdout.read()
            second.stop()
        assert (process.wait(60), process.stderr.read()) == (0, "")
    assert said == transcribe("talk.wav", "-l", "en").stdout
