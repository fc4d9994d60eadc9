"""``whispercore search``: what a server has, on a terminal and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from tests.live import Live, live, settings_for
from tests.speech import AUDIO
from tests.visitor import administrator
from whispercore_server.cli import app
from whispercore_server.cli.exits import ExitCode


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(settings_for(tmp_path_factory.mktemp("searched"))) as server:
        root = administrator(server)
        root.finished(root.job(AUDIO / "clip01-en.wav", language="en"))
        yield server


def search(server: Live, *arguments: str, color: bool = False) -> Result:
    environment = {"WHISPERCORE_API_KEY": server.admin_key, "WHISPERCORE_SERVER": server.url}
    return CliRunner().invoke(app, ["search", *arguments], env=environment, color=color)


def test_places_with_their_times(server: Live) -> None:
    done = search(server, "teacher -cook", "--language", "english", "-m", "micro", "--from", "2020-01-01")
    assert done.exit_code == ExitCode.OK, done.stderr
    first, second, *_ = done.stdout.splitlines()
    assert first.startswith("clip01-en.wav  0.")
    assert second.startswith("  00:00:0")
    assert second.endswith("  the teacher is in the station")
    assert done.stderr.startswith("1 transcript in 0.")


def test_what_was_found_is_bold_on_a_terminal(server: Live) -> None:
    assert "the \x1b[1mteacher\x1b[0m is in" in search(server, "teacher", color=True).stdout


def test_json_is_what_the_server_says(server: Live) -> None:
    page = json.loads(search(server, "teacher OR station", "--json", "--matches", "1").stdout)
    assert page["total"] == 1
    assert page["results"][0]["matches"][0]["highlighted"] == (
        "the <mark>teacher</mark> is in the <mark>station</mark>"
    )


@pytest.mark.parametrize("arguments", [("teacher", "--filename", "other", "--until", "2020-01-01"), ("!?",)])
def test_nothing_is_found(server: Live, arguments: tuple[str, ...]) -> None:
    done = search(server, *arguments)
    assert (done.exit_code, done.stdout) == (ExitCode.OK, "")
    assert done.stderr.startswith("0 transcripts in 0.")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("",), "query: its length is 0"),
        (("a", "--from", "soon"), "neither a day"),
        (("a", "--server", "nowhere"), "--server"),
    ],
)
def test_what_cannot_be_asked(server: Live, arguments: tuple[str, ...], told: str) -> None:
    done = search(server, *arguments)
    assert done.exit_code == ExitCode.USAGE
    assert told in done.stderr
