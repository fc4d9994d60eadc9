"""``whispercore export``: the files that a server makes, whole or not at all, and errors that say what to do."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import docx
import pytest
from typer.testing import CliRunner, Result

from tests.batches import batch_of
from tests.live import Live, live, settings_for
from tests.visitor import Visitor, administrator
from whispercore.batches.batch import NewItem
from whispercore.people.auth import Credentials
from whispercore_server.cli import app
from whispercore_server.cli.exits import ExitCode

from .conftest import AUDIO

SAID = "the teacher is in the station"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(settings_for(tmp_path_factory.mktemp("server"))) as server:
        yield server


@pytest.fixture(scope="module")
def job_id(server: Live) -> str:
    admin: Visitor = administrator(server)
    job = admin.finished(admin.job(AUDIO / "clip01-en.wav", language="en"))
    assert job["status"] == "completed"
    return str(job["job_id"])


@pytest.fixture(autouse=True)
def _known(server: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHISPERCORE_SERVER", server.url)
    monkeypatch.setenv("WHISPERCORE_API_KEY", server.admin_key)


def export(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_text_on_stdout(job_id: str) -> None:
    result = export(job_id)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{SAID}\n", "")
    result = export(job_id, "-f", "txt", "-O", "layout=timestamps", "-o", "-")
    assert result.stdout.endswith(f"] {SAID}\n")


def test_a_file_is_in_the_format_of_its_ending(job_id: str, tmp_path: Path) -> None:
    result = export(job_id, "-o", tmp_path / "x.srt", "-O", "lines=1", "-O", "line_length=12")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert (tmp_path / "x.srt").read_text().splitlines()[2] == "the teacher"
    assert export(job_id, "-f", "docx", "-o", tmp_path).exit_code == 0
    texts = [one.text for one in docx.Document(str(tmp_path / "clip01-en.docx")).paragraphs]
    assert texts == ["clip01-en", f"00:00:00  {SAID}"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip01-en.docx", "x.srt"]


def test_several_come_in_an_archive(job_id: str, tmp_path: Path) -> None:
    result = export(job_id, "none", "-f", "vtt", "-o", tmp_path / "all.zip")
    assert (result.exit_code, result.stdout) == (ExitCode.FAILED, "")
    assert result.stderr == "error: none: there is no job 'none'\n"
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.namelist() == ["clip01-en.vtt", "manifest.json"]
    result = export(job_id, job_id, "-o", tmp_path)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert (tmp_path / "transcripts-txt.zip").exists()


def test_a_batch_comes_in_an_archive(server: Live, job_id: str, tmp_path: Path) -> None:
    lost = NewItem(filename="lost.wav", failure_reason="not_found", error="there is no upload 'lost'")
    admin = Credentials(bearer=None, api_key=server.admin_key)
    owner_id = server.run(server.ports.auth.authenticate(admin)).user_id
    batch_id = batch_of(server, owner_id, NewItem(filename="clip01-en.wav", job_id=job_id), lost)
    result = export("--batch", batch_id, "-f", "srt", "-o", tmp_path)
    assert (result.exit_code, result.stdout) == (ExitCode.FAILED, "")
    assert result.stderr == "error: 'lost.wav' never became a job: there is no upload 'lost'\n"
    with zipfile.ZipFile(tmp_path / "transcripts-srt.zip") as archive:
        assert archive.namelist() == ["clip01-en.srt", "manifest.json"]
    whole = batch_of(server, owner_id, NewItem(filename="clip01-en.wav", job_id=job_id))
    result = export("--batch", whole, "-o", tmp_path / "x.zip")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("JOB", "-f", "doc"), ExitCode.USAGE, "--format: 'doc' is not one of txt, srt"),
        (("JOB", "-f", "pdf"), ExitCode.USAGE, "--format: pdf is no text for standard output: add --output FILE"),
        (("JOB", "-f", "srt", "-O", "layout=plain"), ExitCode.USAGE, "--option: srt has no option 'layout'; there is"),
        ((), ExitCode.USAGE, "--batch: ids of jobs or a batch are wanted, and not both"),
        (("JOB", "--batch", "b"), ExitCode.USAGE, "--batch: ids of jobs or a batch are wanted, and not both"),
        (("--batch", "b"), ExitCode.USAGE, "--output: several jobs come in an archive, which needs a file"),
        (("--batch", "none", "-o", "FOLDER"), ExitCode.FAILED, "there is no batch 'none'"),
        (("JOB", "JOB"), ExitCode.USAGE, "--output: several jobs come in an archive, which needs a file"),
        (("none",), ExitCode.FAILED, "there is no job 'none'"),
        (("JOB", "--server", "ftp://x"), ExitCode.USAGE, "--server: it has to begin with http:// or https://"),
        (("JOB", "--server", "http://127.0.0.1:1"), ExitCode.FAILED, "http://127.0.0.1:1/api/export/download/"),
        (("JOB", "--api-key", ""), ExitCode.USAGE, "--api-key: this server wants one; WHISPERCORE_API_KEY"),
        (("JOB", "--api-key", "x" * 40), ExitCode.FAILED, "this API key is not known"),
    ],
)
def test_what_cannot_work(arguments: tuple[str, ...], code: ExitCode, words: str, job_id: str, tmp_path: Path) -> None:
    places = {"JOB": job_id, "FOLDER": tmp_path}
    result = export(*(places.get(one, one) for one in arguments))
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith(f"error: {words}")
    assert result.stderr.count("error:") == 1


def test_nothing_is_left_of_what_failed(tmp_path: Path) -> None:
    kept = tmp_path / "x.srt"
    kept.write_text("before")
    assert export("none", "-o", kept).exit_code == ExitCode.FAILED
    assert kept.read_text() == "before"
    assert list(tmp_path.iterdir()) == [kept]
