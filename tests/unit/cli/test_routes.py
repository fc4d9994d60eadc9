"""What ``whispercore routes`` finds for a path."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from whispercore.api.transcriber import API
from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.api.transcriber.jobs import JobRef, JobState
from whispercore.contract.endpoint import Endpoint, Raw, alias
from whispercore.contract.group import Api
from whispercore_server import directory
from whispercore_server.cli import app
from whispercore_server.directory import Entry, entries, matches, nearest
from whispercore_server.plugin import Plugin, PluginError, discovered

ROOT = Path(__file__).parents[3]
ALL = entries(discovered())


class Films(TranscriberGroup[object]):
    """Films."""

    tag = "films"
    get = Endpoint("GET", "/films/{job_id}", JobRef, JobState, scope=None, doc="A film.")
    newest = Endpoint("GET", "/films/newest", JobRef, JobState, scope=None, doc="One.", aliases=(alias("/newest"),))
    go = Raw("GET", "/go/{where:.*}", scope=None, doc="Go.")


VIDEO = Api(name="video", title="Video", version="1", dialect=API.dialect, groups=(Films,), prefixes=("/",))
FILMS = entries([Plugin(name="video", apis=(VIDEO,))])


def routes(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["routes", *arguments])


def line_at(place: str) -> str:
    file, _, line = place.rpartition(":")
    return (ROOT / file).read_text().splitlines()[int(line) - 1].strip()


def test_a_path_leads_to_everything_about_it() -> None:
    result = routes("/api/jobs/42/cancel")
    assert (result.exit_code, result.stderr) == (0, "")
    head, first, second = result.stdout.splitlines()
    assert head == (
        "POST /api/jobs/{job_id}/cancel   transcriber.jobs.cancel   scope jobs:write   limit api   dialect transcriber"
    )
    declared = re.search(r"declared +(\S+)", first)
    answered = re.search(r"answered +(\S+)", first)
    assert declared is not None
    assert answered is not None
    assert line_at(declared[1]) == "cancel = Endpoint("
    assert declared[1].startswith("whispercore/api/transcriber/jobs.py:")
    assert answered[1].startswith("whispercore_server/plugins/transcriber/jobs.py:")
    assert line_at(answered[1]) == "@serves(Jobs.cancel)"
    assert second.endswith("client    client.jobs.cancel(job_id)")
    assert re.search(r"^  tested    (tests/api/transcriber/test_jobs\.py|-) ", second)


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.name)
def test_every_endpoint_is_found_by_all_its_paths(entry: Entry) -> None:
    for template, alias_ in entry.paths:
        real = re.sub(r"{\w+}", "0192f0c1-7a3e", template)
        for path in (template, real, real.rstrip("/"), f"https://user@host:8000{real}?limit=3#x"):
            (match,) = matches(ALL, path, entry.operation.method)
            assert (match.entry, match.path, match.alias) == (entry, template, alias_)
    assert entry.declared is not None
    assert entry.answered is not None
    assert line_at(str(entry.declared)).startswith(f"{entry.operation.attribute} = ")


def test_an_alias_says_what_it_stands_for() -> None:
    lines = routes("/jobs/", "--method", "get").stdout.splitlines()
    assert lines[0].startswith("GET /jobs/   alias of /api/jobs/   transcriber.jobs.list   ")
    assert lines[1] == "  defaults  limit=100"


def test_all_methods_of_a_path_are_shown_unless_one_is_asked_for() -> None:
    heads = [line.split("   ")[0] for line in routes("/api/jobs/7").stdout.splitlines() if line[:1].isalpha()]
    assert heads == ["GET /api/jobs/{job_id}", "DELETE /api/jobs/{job_id}"]
    assert routes("/api/jobs/7", "--method", "HEAD").stdout.startswith("GET /api/jobs/{job_id} ")


def test_without_a_path_there_is_a_table_of_all() -> None:
    result = routes()
    assert result.exit_code == 0
    rows = result.stdout.splitlines()
    assert len(rows) == 1 + sum(1 + len(entry.operation.aliases) for entry in ALL)
    for entry in ALL:
        assert any(entry.operation.path in row and row.endswith(entry.call) for row in rows)
    deleting = routes("--method", "delete").stdout.splitlines()[1:]
    assert deleting
    assert all(row.startswith("DELETE ") for row in deleting)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("/api/jobs/7/cancle",),
            "no route has the path /api/jobs/7/cancle; the nearest are /api/jobs/{job_id}/cancel",
        ),
        (("/api/jobs/7/cancel", "--method", "GET"), "/api/jobs/7/cancel is not there for GET, but for POST"),
        (("~" * 3000,), "`whispercore routes` shows them all"),
        (("",), "no route has the path /;"),
        (("--method", "TRACE"), "there are no routes for TRACE"),
        (("/live", "--without", "transcriber"), "no route has the path /live; "),
    ],
)
def test_what_is_not_there_is_told(arguments: tuple[str, ...], told: str) -> None:
    result = routes(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert told in result.stderr


def test_plugins_that_do_not_load_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> list[Plugin]:
        raise PluginError("the plugin 'x' cannot be loaded: ImportError: no y")

    monkeypatch.setattr("whispercore_server.plugin.discovered", broken)
    result = routes("/live")
    assert (result.exit_code, result.stderr) == (1, "error: the plugin 'x' cannot be loaded: ImportError: no y\n")


def test_a_path_without_ids_goes_before_one_with() -> None:
    (match,) = matches(FILMS, "/films/newest")
    assert match.path == "/films/newest"
    (match,) = matches(FILMS, "/films/3")
    assert match.path == "/films/{job_id}"
    (match,) = matches(FILMS, "/go/a/b/c")
    assert match.path == "/go/{where:.*}"
    assert not matches(FILMS, "/films/3/4")
    assert not matches(FILMS, "/film")


def test_another_api_is_named_in_calls_and_in_places() -> None:
    get, _, go = FILMS
    assert (get.name, get.call) == ("video.films.get", "client.video.films.get(job_id)")
    assert go.call == "client.video.films.go(where=…)"
    assert go.methods == ("GET",)
    assert (get.answered, get.tested) == (None, None), "nothing answers it here"
    assert str(get.declared).startswith("tests/unit/cli/test_routes.py:")


def test_the_tests_of_a_resource_are_found_where_they_belong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "ROOT", tmp_path)
    entry = next(entry for entry in ALL if entry.name == "transcriber.jobs.get")
    assert entry.tested is None
    file = tmp_path / "tests" / "api" / "transcriber" / "test_jobs.py"
    file.parent.mkdir(parents=True)
    file.touch()
    assert entry.tested == file.relative_to(tmp_path)


def test_nearest_paths_are_few() -> None:
    assert nearest(ALL, "/api/job") == nearest(ALL, "/api/job/")
    assert 1 <= len(nearest(ALL, "/api/job")) <= 3
