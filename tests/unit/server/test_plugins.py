"""What a server refuses to start with, and a plugin that comes in a distribution of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic

import pytest
from attrs import evolve, frozen

from tests.live import settings_for
from tests.plugins import demo_plugin
from tests.plugins.demo_plugin import DEMO, PLUGIN, Enveloped, NotesHandlers
from whispercore.api.transcriber.jobs import Jobs
from whispercore.contract.endpoint import Endpoint, alias
from whispercore.contract.group import Api, Group, T_co
from whispercore.people.caller import Caller
from whispercore_server.app import create_app
from whispercore_server.plugin import Plugin, PluginError, discovered, serves
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER
from whispercore_server.ports import Ports

# ---------------------------------------------------------------- refused starts


@frozen(kw_only=True)
class Nothing:
    pass


@frozen(kw_only=True)
class Unplaced:
    other: str


@frozen(kw_only=True)
class One:
    a: str


@frozen(kw_only=True)
class Two:
    b: str


@frozen(kw_only=True)
class Both:
    a: str
    c: str


def group(tag_: str, path: str, *, scope: str | None = None, request: Any = Nothing, **more: Any) -> type[Group[Any]]:
    class Made(Group[T_co], Generic[T_co]):
        tag = tag_
        dialect = Enveloped()
        get = Endpoint("GET", path, request, Nothing, scope=scope, doc="Nothing.", **more)

    return Made


def api(name: str, *groups: type[Group[Any]]) -> Api:
    return Api(name=name, title=name, version="1", dialect=Enveloped(), groups=groups, prefixes=(f"/{name}/",))


def plugin(name: str, *groups: type[Group[Any]], api_name: str | None = None) -> Plugin:
    """A plugin whose groups are all answered."""

    def handlers(_: Ports) -> Sequence[object]:
        return tuple(_handlers_of(one) for one in groups)

    return Plugin(name=name, apis=(api(api_name or name, *groups),), handlers=handlers)


def _handlers_of(group_: type[Group[Any]]) -> object:
    class Handlers:
        @serves(group_.get)  # type: ignore[attr-defined]  # it was made above
        async def get(self, request: Nothing, caller: Caller) -> Nothing:
            del caller
            return request

    return Handlers()


class Twice(NotesHandlers):
    @serves(demo_plugin.Notes.get)
    async def again(self, request: demo_plugin.NoteRef, caller: Caller) -> demo_plugin.Note:
        del caller
        return self._found(request.note_id)


def _half(_: Ports) -> Sequence[object]:
    return ()


def _twice(ports: Ports) -> Sequence[object]:
    return (Twice(ports),)


def _foreign(ports: Ports) -> Sequence[object]:
    return (NotesHandlers(ports), _handlers_of(group("foreign", "/foreign")))


REFUSED: dict[str, tuple[tuple[Plugin, ...], str]] = {
    "a plugin twice": ((PLUGIN, PLUGIN), "'demo'.*second time"),
    "an API twice": ((PLUGIN, evolve(PLUGIN, name="other", engines={})), "'other'.*API 'demo'"),
    "an endpoint twice": ((plugin("one", group("a", "/a"), group("a", "/b")),), "'one'.*one.a.get"),
    "a path twice": ((plugin("one", group("a", "/x")), plugin("two", group("b", "/x"))), "'two'.*/x"),
    "a path twice but for its slash": (
        (plugin("one", group("a", "/x")), plugin("two", group("b", "/x/"))),
        "'two'.*/x/",
    ),
    "a path twice but for the names of its ids": (
        (plugin("one", group("a", "/x/{a}", request=One)), plugin("two", group("b", "/x/{b}", request=Two))),
        "'two'.*/x/{b}",
    ),
    "an alias that is a path": (
        (plugin("one", group("a", "/x")), plugin("two", group("b", "/y", aliases=(alias("/x"),)))),
        "'two'.*/x",
    ),
    "an unknown scope": ((plugin("one", group("a", "/a", scope="coffee:make")),), "'one'.*'coffee:make'"),
    "an id without a field": ((plugin("one", group("a", "/a/{id}", request=Unplaced)),), "'one'.*id"),
    "another version": ((evolve(PLUGIN, api_version=2),), "'demo'.*version 2"),
    "an endpoint without a handler": ((evolve(PLUGIN, handlers=_half),), "'demo'.*notes.create"),
    "an endpoint with two handlers": ((evolve(PLUGIN, handlers=_twice),), "'demo'.*notes.get twice"),
    "a handler of a foreign endpoint": ((evolve(PLUGIN, handlers=_foreign),), "'demo'.*foreign.get"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_start_is_refused_with_the_plugins_name(name: str, tmp_path: Path) -> None:
    plugins, told = REFUSED[name]
    with pytest.raises(PluginError, match=told):
        create_app(settings_for(tmp_path), plugins=plugins)
    assert not [one for one in tmp_path.rglob("*") if one.is_file()], "nothing was opened"


def test_job_kinds_and_engines_of_two_plugins_do_not_collide(tmp_path: Path) -> None:
    """A second plugin would silently take over the jobs of the first."""
    second = evolve(PLUGIN, name="second", apis=(), handlers=_half)
    with pytest.raises(PluginError, match=r"'second'.*engine 'scripted'"):
        create_app(settings_for(tmp_path), plugins=(PLUGIN, second))
    with pytest.raises(PluginError, match=r"'second'.*job kind 'count'"):
        create_app(settings_for(tmp_path), plugins=(PLUGIN, evolve(second, engines={})))


def test_the_plugins_of_this_distribution_are_found() -> None:
    assert [one.name for one in discovered()] == ["files_v1", "openai", "transcriber", "v1"]
    assert [one.name for one in discovered(without=("openai", "transcriber", "v1"))] == ["files_v1"]


def test_a_server_needs_no_plugin_at_all(tmp_path: Path) -> None:
    assert create_app(settings_for(tmp_path), plugins=())


def test_a_fixed_path_comes_before_one_with_an_id_of_another_plugin(tmp_path: Path) -> None:
    first, second = (
        plugin("one", group("a", "/x/{a}/{c}", request=Both)),
        plugin("two", group("b", "/x/{a}/new", request=One)),
    )
    app = create_app(settings_for(tmp_path), plugins=(first, second))
    paths = [one.canonical for one in app.router.resources()]
    assert paths.index("/x/{a}/new") < paths.index("/x/{a}/{c}")


def test_plugins_leave_each_others_endpoints_alone() -> None:
    assert not set(DEMO.operations()) & set(TRANSCRIBER.apis[0].operations())
    assert Jobs.create in set(TRANSCRIBER.apis[0].operations())


# ---------------------------------------------------------------- a distribution of its own

MAIN = """
import json, sys
from pathlib import Path

import demo_words
import requests

from tests.live import ADMIN_KEY, live, settings_for
from tests.speech import AUDIO
from whispercore.jobs.job import NewJob
from whispercore.people.auth import Credentials
from whispercore.tasks.options import TranscribeOptions
from whispercore_client import Client
from whispercore_server.plugin import discovered


async def done(ports, **fields):
    caller = await ports.auth.authenticate(Credentials(bearer=None, api_key=ADMIN_KEY))
    async with ports.database.write() as tx:
        job = await ports.jobs.enqueue(tx, NewJob(owner_id=caller.user_id, **fields))
    async for job, _ in ports.following.follow(job.id, caller):
        pass
    return job.state, await ports.jobs.transcript(job)


async def heard(ports):
    async def chunks():
        yield (AUDIO / "clip01-en.wav").read_bytes()

    staged = await ports.files.stage(chunks(), name="clip.wav")
    async with ports.database.write() as tx:
        await ports.files.keep(tx, staged, "somebody")
    options = TranscribeOptions(model="micro", engine="scripted").dump()
    return await done(ports, kind="transcribe", options=options, file_id=staged.id, model="micro")


if __name__ == "__main__":
    counted = Path(sys.argv[1]) / "counted.txt"
    with live(settings_for(Path(sys.argv[1]) / "data")) as server:
        with Client(server.url, api_key=ADMIN_KEY) as client:
            notes = demo_words.Notes(client.transport)
            note = notes.get(notes.create(text="from a wheel").id)
        count, _ = server.run(done(server.ports, kind="count", options=json.dumps(str(counted))))
        _, transcript = server.run(heard(server.ports))
        documents = requests.get(server.url + "/openapi.json", timeout=60).json()
    print(json.dumps({
        "plugins": [one.name for one in discovered()],
        "file": demo_words.__file__,
        "note": note.text,
        "count": [count, counted.read_text()],
        "heard": transcript.text,
        "documented": "/demo/notes" in documents["paths"],
    }))
"""


def wheel(folder: Path) -> Path:
    """The demo plugin as somebody would publish it, under another name of its module."""
    info = "demo_words-1.0.dist-info"
    files = {
        "demo_words.py": Path(demo_plugin.__file__).read_text(),
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: demo-words\nVersion: 1.0\nRequires-Dist: whispercore\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[whispercore.plugins]\ndemo = demo_words:PLUGIN\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    path = folder / "demo_words-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def installed(folder: Path) -> Path:
    """Where pip has put it."""
    target = folder / "installed"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*command, "--target", str(target), str(wheel(folder))], check=True, timeout=120)
    return target


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory.mktemp("wheel"))


def in_process(code: str, folder: Path, site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = folder / "main.py"
    script.write_text(code)
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{root}"}
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_plugin_from_another_distribution_brings_all_it_has(site: Path, tmp_path: Path) -> None:
    """An API, a kind of jobs and an engine; no file of ours knows of it."""
    done = in_process(MAIN, tmp_path, site, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "plugins": ["demo", "files_v1", "openai", "transcriber", "v1"],
        "file": str(site / "demo_words.py"),
        "note": "from a wheel",
        "count": ["completed", "counted"],
        "heard": "window 0 at 0.00",
        "documented": True,
    }


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import not_installed", "'demo' cannot be loaded: ModuleNotFoundError"),
        ("1 / 0", "'demo' cannot be loaded: ZeroDivisionError"),
        ("PLUGIN = 'text'", "'demo' (demo_words:PLUGIN) is no whispercore_server.plugin.Plugin"),
        ("", "'demo' cannot be loaded: AttributeError"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named(source: str, told: str, site: Path, tmp_path: Path) -> None:
    broken = tmp_path / "site"
    shutil.copytree(site, broken)
    (broken / "demo_words.py").write_text(source)
    code = "from whispercore_server.plugin import discovered\nprint(len(discovered(('demo',))))\ndiscovered()"
    done = in_process(code, tmp_path, broken)
    assert done.stdout == "4\n", "who leaves it out can start"
    assert done.returncode == 1
    assert told in done.stderr
