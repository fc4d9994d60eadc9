"""A plugin of another distribution: an API of its own with every kind of endpoint, a job kind and an engine.

Tests use it in their own process, and installed from a wheel.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal

from aiohttp import web
from attrs import define, field, frozen

from whispercore.contract.dialect import Meta
from whispercore.contract.endpoint import Channel, Download, Endpoint, Listing, Raw, Stream, alias
from whispercore.contract.faults import fields_of, rebuilt
from whispercore.contract.fields import UNSET, Unset, Upload, between, header, told, upload, wire
from whispercore.contract.group import Api, Group, T_co
from whispercore.contract.messages import Content, Event, Message
from whispercore.contract.wire import Json, in_utc
from whispercore.errors import Conflict, NotFound, WhispercoreError
from whispercore.people.caller import Caller
from whispercore.testing.scripted import ScriptedEngine
from whispercore_server.plugin import Plugin, Reply, Socket, serves

if TYPE_CHECKING:
    from whispercore.jobs.worker import Handler, Running
    from whispercore_server.ports import Ports


@frozen
class Enveloped:
    """``{success, data, request_id}``, and errors with the details inside."""

    name: str = "demo"

    def wrap(self, body: Json, meta: Meta) -> Json:
        return {"success": True, "data": body, "request_id": meta.request_id}

    def unwrap(self, body: Json) -> Json:
        if not isinstance(body, dict) or "data" not in body:
            raise ValueError("there is no data")
        return body["data"]

    def render(self, error: WhispercoreError, status: int, meta: Meta) -> Json:
        del status
        return {
            "success": False,
            "error": {"code": f"E_{error.code}", "message": str(error), "details": fields_of(error)},
            "timestamp": in_utc(meta.at),
        }

    def read(self, status: int, body: Json) -> WhispercoreError | None:
        del status
        error = body.get("error") if isinstance(body, dict) else None
        if not isinstance(error, dict):
            return None
        details = error.get("details")
        return rebuilt(str(error.get("code", "")).removeprefix("E_"), details if isinstance(details, dict) else {})


@frozen(kw_only=True)
class Style:
    font_family: str = field(default="Arial", metadata=wire("font-family"))
    size: int = field(default=12, validator=between(1, 100))


@frozen(kw_only=True)
class NewNote:
    text: str
    style: Style = field(factory=Style)
    labels: list[str] = field(factory=list)
    key: str | None = field(default=None, metadata=header("Idempotency-Key"))


@frozen(kw_only=True)
class Note:
    id: str
    text: str
    owner: str
    created_at: datetime
    style: Style = field(factory=Style)
    labels: list[str] = field(factory=list)


@frozen(kw_only=True)
class NoteRef:
    note_id: str = field(kw_only=False, metadata=told("Id of the note."))


@frozen(kw_only=True)
class ChangeNote:
    note_id: str = field(kw_only=False)
    text: str | Unset = UNSET


@frozen(kw_only=True)
class ListNotes:
    limit: int = field(default=2, validator=between(1, 50))
    offset: int = 0
    label: list[str] = field(factory=list)
    order: Literal["old", "new"] = "old"


@frozen(kw_only=True)
class NoteList:
    notes: list[Note]
    total: int
    limit: int


@frozen(kw_only=True)
class Attach:
    note_id: str = field(kw_only=False)
    file: Upload = field(converter=upload)
    title: str = ""
    public: bool = False


@frozen(kw_only=True)
class Attached:
    name: str
    title: str
    public: bool
    size_bytes: int
    sha256: str


@frozen(kw_only=True)
class Watch:
    upto: int = 3
    last_event_id: str | None = field(default=None, metadata=header("Last-Event-ID"))


@frozen(kw_only=True)
class Tick(Event):
    pass


@frozen(kw_only=True)
class Counted(Tick):
    number: int


@frozen(kw_only=True)
class Over(Tick):
    pass


@frozen(kw_only=True)
class Talk:
    shout: bool = False


@frozen(kw_only=True)
class Said(Message):
    text: str


@frozen(kw_only=True)
class Answered(Message):
    text: str


def _rows(page: NoteList) -> list[Note]:
    return page.notes


class Notes(Group[T_co], Generic[T_co]):
    """Notes."""

    tag = "notes"
    dialect = Enveloped()
    create = Endpoint(
        "POST",
        "/demo/notes",
        NewNote,
        Note,
        scope="jobs:create",
        status=201,
        errors=(Conflict,),
        doc="Make a note.",
        aliases=(alias("/demo/old/notes", text="an old note"),),
    )
    get = Endpoint("GET", "/demo/notes/{note_id}", NoteRef, Note, scope="jobs:read", errors=(NotFound,), doc="A note.")
    change = Endpoint(
        "PATCH", "/demo/notes/{note_id}", ChangeNote, Note, scope="jobs:write", errors=(NotFound,), doc="Change it."
    )
    list = Listing("GET", "/demo/notes", ListNotes, NoteList, _rows, scope="jobs:read", doc="All notes.")
    attach = Endpoint(
        "POST", "/demo/notes/{note_id}/files", Attach, Attached, scope="jobs:create", limit="upload", doc="Attach."
    )
    bare = Endpoint(
        "GET", "/demo/notes/{note_id}/bare", NoteRef, Note, scope="jobs:read", doc="Without envelope.", envelope=False
    )
    broken = Endpoint("GET", "/demo/broken", Talk, Note, scope=None, doc="Fails.")
    wait = Endpoint("GET", "/demo/wait", Talk, Note, scope="jobs:read", doc="Takes for ever.", stop_on_disconnect=True)
    watch = Stream("GET", "/demo/watch", Watch, Tick, scope="jobs:read", final=(Over,), doc="Count.")
    export = Download("GET", "/demo/notes/{note_id}/export", NoteRef, scope="export:download", doc="As a file.")
    talk = Channel("GET", "/demo/talk", Talk, Said, Answered, scope="jobs:read", doc="Talk.")
    go = Raw("GET", "/demo/go/{where}", scope="jobs:read", doc="Be sent elsewhere.")


WAITING: set[str] = set()
"""Whose requests wait for ever."""

DEMO = Api(name="demo", title="Demo", version="1", dialect=Enveloped(), groups=(Notes,), prefixes=("/demo/",))


@define
class NotesHandlers:
    ports: Ports
    notes: dict[str, Note] = field(factory=dict)

    @serves(Notes.create)
    async def create(self, request: NewNote, caller: Caller) -> Note | Reply[Note]:
        if request.key in self.notes:
            return Reply(body=self.notes[request.key], status=200, headers={"X-Again": "yes"})
        note = Note(
            id=request.key or self.ports.ids.new(),
            text=request.text,
            owner=caller.user_id,
            created_at=self.ports.clock.now(),
            style=request.style,
            labels=request.labels,
        )
        self.notes[note.id] = note
        return note

    @serves(Notes.get)
    async def get(self, request: NoteRef, caller: Caller) -> Note:
        del caller
        return self._found(request.note_id)

    @serves(Notes.bare)
    async def bare(self, request: NoteRef, caller: Caller) -> Note:
        del caller
        return self._found(request.note_id)

    @serves(Notes.change)
    async def change(self, request: ChangeNote, caller: Caller) -> Note:
        del caller
        note = self._found(request.note_id)
        return (
            note
            if isinstance(request.text, Unset)
            else Note(id=note.id, text=request.text, owner=note.owner, created_at=note.created_at)
        )

    @serves(Notes.list)
    async def list(self, request: ListNotes, caller: Caller) -> NoteList:
        del caller
        wanted = [one for one in self.notes.values() if set(request.label) <= set(one.labels)]
        if request.order == "new":
            wanted.reverse()
        rows = wanted[request.offset : request.offset + request.limit]
        return NoteList(notes=rows, total=len(wanted), limit=request.limit)

    @serves(Notes.attach)
    async def attach(self, request: Attach, caller: Caller) -> Attached:
        del caller
        file = request.file
        if request.title == "fail":
            raise Conflict("the title says so")
        return Attached(
            name=file.name,
            title=request.title,
            public=request.public,
            size_bytes=file.size_bytes or 0,
            sha256=file.sha256 or "",
        )

    @serves(Notes.broken)
    async def broken(self, request: Talk, caller: Caller) -> Note:
        del request, caller
        raise RuntimeError("a secret detail")

    @serves(Notes.wait)
    async def wait(self, request: Talk, caller: Caller) -> Note:
        del request
        WAITING.add(caller.user_id)
        try:
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")
        finally:
            WAITING.discard(caller.user_id)

    @serves(Notes.watch)
    async def watch(self, request: Watch, caller: Caller) -> AsyncIterator[Tick]:
        del caller
        first = int(request.last_event_id or 0)
        if first > request.upto:
            raise Conflict("it is over")
        for number in range(first + 1, request.upto + 1):
            yield Counted(number=number, id=str(number))
            if number == 13:
                raise Conflict("unlucky")
        yield Over()

    @serves(Notes.export)
    async def export(self, request: NoteRef, caller: Caller) -> Content:
        del caller
        text = self._found(request.note_id).text

        async def pieces() -> AsyncIterator[bytes]:
            for letter in text:
                if letter == "☠":
                    raise RuntimeError("a secret detail")
                yield letter.encode()

        return Content(body=pieces(), media_type="text/plain", filename=f"{text} «1».txt")

    @serves(Notes.talk)
    async def talk(self, request: Talk, caller: Caller, socket: Socket[Answered, Said]) -> None:
        del caller
        async for said in socket:
            if said.text == "conflict":
                raise Conflict("as you wish")
            await socket.send(Answered(text=said.text.upper() if request.shout else said.text))

    @serves(Notes.go)
    async def go(self, http: web.Request, caller: Caller) -> web.StreamResponse:
        del caller
        return web.Response(status=302, headers={"Location": f"/elsewhere/{http.match_info['where']}"})

    def _found(self, note_id: str) -> Note:
        if note_id not in self.notes:
            raise NotFound("note", note_id)
        return self.notes[note_id]


async def _count(running: Running) -> None:
    """A job of the kind ``count``: it writes down what it was asked to."""
    await asyncio.to_thread(Path(running.job.options.strip('"')).write_text, "counted")


def _handlers(ports: Ports) -> Sequence[object]:
    return (NotesHandlers(ports),)


def _kinds(ports: Ports) -> Mapping[str, Handler]:
    del ports
    return {"count": _count}


def _engine(model: Path, *, sha256: str, threads: int | None = None) -> ScriptedEngine:
    del model, sha256, threads
    return ScriptedEngine()


PLUGIN = Plugin(name="demo", apis=(DEMO,), handlers=_handlers, job_kinds=_kinds, engines={"scripted": _engine})
