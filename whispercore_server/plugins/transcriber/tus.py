"""Answers of ``api.transcriber.tus``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import Final

from aiohttp import web
from attrs import define, evolve, field

from whispercore.api.transcriber.dialect import TRANSCRIBER
from whispercore.api.transcriber.tus import VERSION, Tus
from whispercore.contract.dialect import Meta
from whispercore.errors import (
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    NotPermitted,
    TooLarge,
    WrongChecksum,
    WrongContentType,
)
from whispercore.files.names import clean_content_type, clean_name
from whispercore.people.caller import Caller
from whispercore.uploads.session import SAID, SAID_SEALED, NewUpload, Session, State
from whispercore.uploads.sessions import check_active
from whispercore_server.frame import REQUEST_ID
from whispercore_server.octets import body_of
from whispercore_server.ordering import options_of
from whispercore_server.plugin import serves
from whispercore_server.plugins.transcriber.chunked_uploads import MAKES_JOBS
from whispercore_server.plugins.transcriber.owed_jobs import OwedJobs
from whispercore_server.plugins.transcriber.tus_headers import (
    ALGORITHMS,
    CONCAT,
    METADATA,
    Checksum,
    Concat,
    Metadata,
    described,
    number_in,
    told,
)
from whispercore_server.ports import Ports

EXTENSIONS: Final = "creation,checksum,expiration,termination,concatenation"
_BODY: Final = "application/offset+octet-stream"
_CHECKSUM_WRONG: Final = 460
"""The protocol's own status."""


@define
class TusHandlers:
    """Takes uploads in by tus."""

    ports: Ports
    _owed: OwedJobs = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._owed = OwedJobs(self.ports)

    @serves(Tus.options)
    async def options(self, http: web.Request, caller: Caller) -> web.Response:
        """Whatever version is asked for."""
        del http, caller
        headers = {
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(self.ports.settings.max_upload_bytes),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        }
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)

    @serves(Tus.create)
    async def create(self, http: web.Request, caller: Caller) -> web.StreamResponse:
        """An upload, a part of one, or one of parts."""
        if (other := _other_version(http)) is not None:
            return other
        metadata = Metadata.of(http.headers.get(METADATA, ""))
        await self._check_options(metadata, caller)
        concat = Concat.of(http.headers[CONCAT]) if CONCAT in http.headers else None
        new = _new(self._kept(metadata), metadata, concat)
        sessions = self.ports.uploads.sessions
        if concat is not None and concat.part_ids is not None:
            session = await self.ports.uploads.joining.join(new, concat.part_ids, caller)
            session = await self._owed.finished(session, caller)
        else:
            if "Upload-Defer-Length" in http.headers:
                raise InvalidRequest.one("Upload-Defer-Length", "the length has to be known: send Upload-Length")
            size_bytes = number_in(http, "Upload-Length")
            if size_bytes > self.ports.settings.max_upload_bytes:
                raise TooLarge(self.ports.settings.max_upload_bytes)
            session = await sessions.begin(evolve(new, size_bytes=size_bytes), caller)
        location = f"{caller.request.mounted_at}/api/tus/{session.id}"
        return web.Response(status=HTTPStatus.CREATED, headers={"Location": location, **told(session)})

    @serves(Tus.look)
    async def look(self, http: web.Request, caller: Caller) -> web.StreamResponse:
        """Also of one that is completed."""
        if (other := _other_version(http)) is not None:
            return other
        session = await self.ports.uploads.sessions.owned(http.match_info["upload_id"], caller)
        _check_there(session)
        return web.Response(headers=described(session, self._owed.metadata(session)))

    @serves(Tus.append)
    async def append(self, http: web.Request, caller: Caller) -> web.StreamResponse:
        """Bytes count as soon as they are kept; with a checksum, once all of them came.

        None at the end of an upload have its job made, where that could not be done with the last ones.
        """
        if (other := _other_version(http)) is not None:
            return other
        session = await self.ports.uploads.sessions.own(http.match_info["upload_id"], caller)
        _check_there(session)
        if http.content_type != _BODY:
            raise WrongContentType(http.content_type, _BODY)
        offset = number_in(http, "Upload-Offset")
        if session.role == "joined":
            raise NotPermitted("to add something to an upload that was joined")
        is_over = session.state in (State.ASSEMBLING, State.COMPLETED) and offset == session.size_bytes
        if not is_over:
            header = http.headers.get("Upload-Checksum")
            checksum = Checksum(header) if header is not None else None
            try:
                session = await self.ports.uploads.appending.append(
                    session.id,
                    offset,
                    caller,
                    _watched(http, checksum),
                    size_bytes=http.content_length,
                    verify=checksum.verify if checksum is not None else None,
                )
            except WrongChecksum as error:
                return self._checksum_wrong(http, error)
        session = await self._owed.finished(session, caller)
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=told(session))

    @serves(Tus.terminate)
    async def terminate(self, http: web.Request, caller: Caller) -> web.StreamResponse:
        """What came is gone at once."""
        if (other := _other_version(http)) is not None:
            return other
        session = await self.ports.uploads.sessions.own(http.match_info["upload_id"], caller)
        _check_there(session)
        await self.ports.uploads.sessions.cancel(session.id, caller)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    @serves(Tus.otherwise)
    async def otherwise(self, http: web.Request, caller: Caller) -> web.StreamResponse:
        """By the method that the header names."""
        methods = {"PATCH": self.append, "DELETE": self.terminate, "HEAD": self.look}
        method = http.headers.get("X-HTTP-Method-Override", "").upper()
        if method not in methods:
            if (other := _other_version(http)) is not None:
                return other
            _check_there(await self.ports.uploads.sessions.own(http.match_info["upload_id"], caller))
            raise MethodNotAllowed(http.method, tuple(sorted(methods)))
        answer: web.StreamResponse = await methods[method](http, caller)
        return answer

    def _checksum_wrong(self, http: web.Request, error: WrongChecksum) -> web.Response:
        """In the format of all errors, with the status that only this protocol has."""
        meta = Meta(request_id=http[REQUEST_ID], at=self.ports.clock.now())
        body = TRANSCRIBER.render(error, _CHECKSUM_WRONG, meta)
        return web.json_response(body, status=_CHECKSUM_WRONG, reason="Checksum Mismatch")

    async def _check_options(self, metadata: Metadata, caller: Caller) -> None:
        """Refuse what could only fail when all bytes are here."""
        asked = metadata.options()
        if asked is not None:
            if not caller.may(MAKES_JOBS):
                raise NotPermitted(MAKES_JOBS)
            _ = await options_of(self.ports, asked, caller)

    def _kept(self, metadata: Metadata) -> dict[str, str]:
        """What is stored of them: there may be a prompt among them."""
        texts = self.ports.database.texts
        return {SAID_SEALED: texts.own.close(metadata.raw)} if texts.seals else {SAID: metadata.raw}


def _new(kept: dict[str, str], metadata: Metadata, concat: Concat | None) -> NewUpload:
    if concat is not None:
        kept[CONCAT] = concat.raw
    return NewUpload(
        filename=clean_name(metadata.first("filename", "name")),
        content_type=clean_content_type(metadata.first("filetype", "content_type", "type")),
        size_bytes=0,
        protocol="tus",
        role="whole" if concat is None else "part",
        metadata=kept,
    )


def _check_there(session: Session) -> None:
    """Refuse to tell of an upload whose bytes are gone, or are another's now."""
    if session.protocol != "tus" or session.joined_into is not None or session.state in (State.CANCELLED, State.FAILED):
        raise NotFound("upload", session.id)
    if session.state is State.EXPIRED:
        check_active(session)


def _other_version(http: web.Request) -> web.Response | None:
    if http.headers.get("Tus-Resumable") == VERSION:
        return None
    return web.Response(status=HTTPStatus.PRECONDITION_FAILED, headers={"Tus-Version": VERSION})


async def _watched(http: web.Request, checksum: Checksum | None) -> AsyncGenerator[bytes, None]:
    async with aclosing(body_of(http)) as pieces:
        async for piece in pieces:
            if checksum is not None:
                checksum.add(piece)
            yield piece
