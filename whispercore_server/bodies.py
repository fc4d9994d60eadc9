"""The body of a request, taken in before its handler runs: JSON, or a form whose files are staged.

A file may come before the form's other fields, so a handler cannot stream it with its options known. It gets a
finished ``Upload``, and keeps it, or it is gone when the request is over.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http import HttpProcessingError
from attrs import define, evolve, field, frozen

from whispercore.contract.fields import ENCRYPTED_FOR, ENCRYPTED_KEY, PLAIN_SHA256, UPLOAD_ID, UPLOAD_LENGTH, Upload
from whispercore.contract.plan import NO_BODY, NoBody, Plan, Sources
from whispercore.contract.wire import STRICT, Json, loads
from whispercore.database.undisturbed import undisturbed
from whispercore.encryption import sealed_file
from whispercore.encryption.sent_keys import SentKeys
from whispercore.errors import InvalidRequest, TooLarge, WrongContentType
from whispercore.files.arrivals import Arrivals, Receipt
from whispercore.files.files import Files
from whispercore.files.manifest import Staged
from whispercore.files.sealed_staging import SentSealed
from whispercore.people.caller import Caller
from whispercore.screening.uploads import Specimen
from whispercore_server.expectations import ask_for_body
from whispercore_server.octets import AS_IT_IS, FORM, ArrivingOctets

_PIECE_BYTES: Final = 1 << 18
_MAX_TEXT_BYTES: Final = 1 << 20
"""Of all fields of a form that are no files, together."""
_MAX_FIELDS: Final = 200
_FORM_OVERHEAD_BYTES: Final = _MAX_TEXT_BYTES + (1 << 16)
_JSON: Final = "application/json"
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")


@frozen(kw_only=True)
class Received(Upload):
    """A file that came in, and lies in the staging area."""

    staged: Staged
    specimen: Specimen
    """What was seen of it while it came in."""


def staged_of(upload: Upload) -> Staged:
    """What lies in the staging area for an upload of a handler's request, to be ``secured`` and kept."""
    assert isinstance(upload, Received)
    return upload.staged


def specimen_of(upload: Upload) -> Specimen:
    """Name and ends of an upload as they were sent, to be screened."""
    assert isinstance(upload, Received)
    return upload.specimen


@define
class Form:
    """A form, as far as it was read."""

    texts: list[tuple[str, str]] = field(factory=list)
    files: list[tuple[str, Upload]] = field(factory=list)
    staged: list[Staged] = field(factory=list)
    text_bytes: int = 0
    receipt: Receipt | None = None
    """Where its sender chose the id of its file."""
    sent: SentSealed | None = None
    """Where its files are sealed already."""


@define
class Bodies:
    """Takes bodies in.

    Args:
        files: Where uploads are staged.
        arrivals: Where it is told how far those are whose sender chose their id.
        sent_keys: Opens the keys of those that come in sealed.
        max_upload_bytes: The largest file.
        max_json_bytes: The largest JSON body.
    """

    files: Files
    arrivals: Arrivals
    sent_keys: SentKeys
    max_upload_bytes: int = field(kw_only=True)
    max_json_bytes: int = field(kw_only=True)

    @asynccontextmanager
    async def taken(self, http: web.Request, plan: Plan[object], caller: Caller) -> AsyncIterator[Sources]:
        """A request with its body. Files that nobody has kept at the end of the block are discarded.

        Args:
            http: The request.
            plan: What it should have.
            caller: Who sends it.

        Raises:
            WrongContentType: The body is of another kind than the plan's.
            TooLarge: It is too large; told before it is read where its length is declared.
            InvalidRequest: It is not what it says it is.
            StorageFull: There is no room for a file; told before it is read where its length is declared.
            Conflict: The id that its sender chose for a file is taken.
            EncryptedForAnother: A file is sealed to another key than it should be; told before it is read.
            EncryptedPartDamaged: A part of one that is sealed cannot be opened.
            WrongChecksum: What is in one that is sealed is not what its sender says.
        """
        if plan.octets is not None:
            octets = ArrivingOctets(http=http, name=plan.octets.wire)
            yield evolve(_sources(http), octets=octets)
            return
        if not plan.is_form:
            body = await self._json(http) if plan.has_body else NO_BODY
            yield _sources(http, body=body)
            return
        await self._check(http)
        async with self._announced(http, plan, caller) as receipt:
            form = Form(receipt=receipt, sent=await self._sealed(http, plan, caller))
            try:
                await self._read(http, plan, form)
                yield _sources(http, form=form)
            finally:
                await undisturbed(self._discard(form.staged))

    async def _discard(self, every: list[Staged]) -> None:
        for staged in every:
            await self.files.discard(staged)

    @asynccontextmanager
    async def _announced(self, http: web.Request, plan: Plan[object], caller: Caller) -> AsyncIterator[Receipt | None]:
        chosen = http.headers.get(UPLOAD_ID) if UPLOAD_ID in plan.by_wire else None
        if chosen is None:
            yield None
            return
        try:
            file_id = str(STRICT.structure(chosen, UUID))
        except ValueError as error:
            raise InvalidRequest.one(UPLOAD_ID, str(error)) from None
        told = http.headers.get(UPLOAD_LENGTH, "")
        size_bytes = int(told) if _LENGTH.fullmatch(told) else http.content_length
        async with self.arrivals.arriving(file_id, caller, size_bytes) as receipt:
            yield receipt

    async def _sealed(self, http: web.Request, plan: Plan[object], caller: Caller) -> SentSealed | None:
        """What the headers say of files that are sealed already."""
        wrap, recipient, sha256 = (
            http.headers.get(name) if name in plan.by_wire else None
            for name in (ENCRYPTED_KEY, ENCRYPTED_FOR, PLAIN_SHA256)
        )
        if wrap is None:
            if recipient is not None or sha256 is not None:
                raise InvalidRequest.one(ENCRYPTED_KEY, "it is missing")
            return None
        if sha256 is None or _SHA256.fullmatch(sha256) is None:
            raise InvalidRequest.one(PLAIN_SHA256, "it has to be the 64 hexadecimal digits of a SHA-256")
        return SentSealed(key=await self.sent_keys.opened(wrap, recipient, caller), sha256=sha256.lower())

    async def _json(self, http: web.Request) -> Json | NoBody:
        if (http.content_length or 0) > self.max_json_bytes:
            raise TooLarge(self.max_json_bytes)
        if not http.can_read_body:
            return NO_BODY
        kind = http.content_type
        if kind != _JSON and not kind.endswith("+json"):
            raise WrongContentType(kind, _JSON)
        await ask_for_body(http)
        data = bytearray()
        async for piece in http.content.iter_chunked(_PIECE_BYTES):
            data += piece
            if len(data) > self.max_json_bytes:
                raise TooLarge(self.max_json_bytes)
        if not data:
            return NO_BODY
        try:
            return loads(bytes(data))
        except ValueError as error:
            raise InvalidRequest.one("", f"the body is not JSON: {error}") from error

    async def _check(self, http: web.Request) -> None:
        """Refuse a form by its headers."""
        if http.content_type != FORM:
            raise WrongContentType(http.content_type, FORM)
        most_bytes = self.max_upload_bytes
        if ENCRYPTED_KEY in http.headers:
            most_bytes = sealed_file.size_of(most_bytes, self.files.part_bytes)
        if (http.content_length or 0) > most_bytes + _FORM_OVERHEAD_BYTES:
            raise TooLarge(self.max_upload_bytes)
        await self.files.check_room(http.content_length or 0)

    async def _read(self, http: web.Request, plan: Plan[object], form: Form) -> None:
        await ask_for_body(http)
        files = {slot.wire for slot in plan.slots if slot.is_file}
        try:
            reader = await http.multipart()
            while (part := await reader.next()) is not None:
                if isinstance(part, MultipartReader) or not part.name:
                    raise InvalidRequest.one("", "a part of the form has no name")
                if part.headers.get("Content-Transfer-Encoding", "").strip().lower() not in AS_IT_IS:
                    raise InvalidRequest.one(part.name, "it has a Content-Transfer-Encoding; send it as it is")
                if len(form.texts) + len(form.files) >= _MAX_FIELDS:
                    raise InvalidRequest.one("", f"the form has more than {_MAX_FIELDS} parts")
                if part.name in files:
                    await self._stage(part, form)
                elif part.filename is not None:
                    raise InvalidRequest.one(part.name, "no file is expected here")
                else:
                    form.texts.append((part.name, await _text(part, form)))
        except (ValueError, AssertionError, EOFError, HttpProcessingError) as error:
            raise InvalidRequest.one("", f"the form cannot be read: {str(error) or 'it breaks off'}") from error

    async def _stage(self, part: BodyPartReader, form: Form) -> None:
        kind = part.headers.get("Content-Type", "application/octet-stream").partition(";")[0].strip()
        specimen = Specimen(part.filename or "", kind)
        pieces = _pieces(part, form.receipt)
        file_id = form.receipt.file_id if form.receipt is not None and not form.staged else None
        if form.sent is not None:
            staged = await self.files.stage_sealed(
                pieces,
                form.sent,
                specimen.take,
                name=specimen.name,
                content_type=kind,
                limit_bytes=self.max_upload_bytes,
                file_id=file_id,
            )
        else:
            staged = await self.files.stage(
                specimen.watched(pieces),
                name=specimen.name,
                content_type=kind,
                limit_bytes=self.max_upload_bytes,
                file_id=file_id,
                secured_later=True,
            )
        form.staged.append(staged)
        form.files.append(
            (
                part.name or "",
                Received(
                    staged.name,
                    content_type=staged.content_type,
                    size_bytes=staged.size_bytes,
                    sha256=staged.sha256,
                    id=staged.id,
                    staged=staged,
                    specimen=specimen,
                ),
            )
        )


async def _pieces(part: BodyPartReader, receipt: Receipt | None) -> AsyncIterator[bytes]:
    while piece := await part.read_chunk(_PIECE_BYTES):
        if receipt is not None:
            receipt.received(len(piece))
        yield piece


async def _text(part: BodyPartReader, form: Form) -> str:
    data = bytearray()
    while piece := await part.read_chunk(_PIECE_BYTES):
        data += piece
        form.text_bytes += len(piece)
        if form.text_bytes > _MAX_TEXT_BYTES:
            raise TooLarge(_MAX_TEXT_BYTES)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidRequest.one(part.name or "", "it is not UTF-8") from None


def _sources(http: web.Request, *, body: Json | NoBody = NO_BODY, form: Form | None = None) -> Sources:
    return Sources(
        path=http.match_info,
        query=list(http.query.items()),
        headers=http.headers,
        body=body,
        form=form.texts if form is not None else (),
        files=form.files if form is not None else (),
    )
