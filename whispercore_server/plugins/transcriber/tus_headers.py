"""The headers of tus 1.0: read from requests, written into answers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final, get_origin
from urllib.parse import unquote, urlsplit

import attrs
from aiohttp import web
from attrs import frozen

from whispercore.api.transcriber.job_options import JobOptions
from whispercore.contract.wire import STRICT, Text, problems
from whispercore.errors import InvalidRequest, Problem, WrongChecksum
from whispercore.uploads.session import Session

if TYPE_CHECKING:
    from hashlib import _Hash as Hash  # it has no public name

ALGORITHMS: Final = ("sha1", "sha256", "sha512")
METADATA: Final = "Upload-Metadata"
CONCAT: Final = "Upload-Concat"
_LONGEST: Final = 4096
"""Characters of metadata."""
_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_FINAL: Final = "final;"


@frozen(kw_only=True)
class Metadata:
    """What a client says of an upload."""

    raw: str
    """As it was sent."""
    values: Mapping[str, str]

    @classmethod
    def of(cls, raw: str) -> Metadata:
        """Read it.

        Raises:
            InvalidRequest: It is not pairs of a key and Base64.
        """
        if len(raw) > _LONGEST:
            raise InvalidRequest.one(METADATA, f"it is longer than {_LONGEST} characters")
        values: dict[str, str] = {}
        for pair in filter(None, (one.strip() for one in raw.split(","))):
            key, _, value = pair.partition(" ")
            if key in values:
                raise InvalidRequest.one(METADATA, f"the key {key[:100]!r} comes twice")
            try:
                values[key] = base64.b64decode(value.strip(), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise InvalidRequest.one(METADATA, f"the value of {key[:100]!r} is not Base64 of UTF-8") from None
        return cls(raw=raw, values=values)

    def first(self, *keys: str) -> str | None:
        """The value of the first of these keys that is there."""
        return next((self.values[key] for key in keys if key in self.values), None)

    def options(self) -> JobOptions | None:
        """How to transcribe the upload; None when it names no model, and nothing is to be made of it yet.

        Raises:
            InvalidRequest: A value is not allowed.
        """
        if not self.values.get("model"):
            return None
        wrong: list[Problem] = []
        values: dict[str, Any] = {}
        for one in attrs.fields(attrs.resolve_types(JobOptions)):
            if one.name in self.values:
                kind: Any = one.type
                try:
                    values[one.name] = _structured(self.values[one.name], kind)
                    if one.validator is not None:
                        one.validator(None, one, values[one.name])
                except Exception as error:  # noqa: BLE001 (each is a problem of the caller's)
                    wrong += problems(f"{METADATA}: {one.name}", error)
        if wrong:
            raise InvalidRequest(tuple(wrong))
        return JobOptions(**values)


def _structured(value: str, kind: Any) -> Any:
    """The value of an option; keys come once, so lists are told with commas."""
    if get_origin(kind) is list:
        return STRICT.structure([Text(one.strip()) for one in value.split(",")], kind)
    return STRICT.structure(Text(value), kind)


class Checksum:
    """What the bytes of a request have to add up to.

    Args:
        header: Algorithm and Base64, as ``Upload-Checksum`` has them.

    Raises:
        InvalidRequest: It is none, or of an algorithm that is not offered.
    """

    def __init__(self, header: str) -> None:
        algorithm, _, told = header.strip().partition(" ")
        if algorithm not in ALGORITHMS:
            raise InvalidRequest.one("Upload-Checksum", f"its algorithm is none of {', '.join(ALGORITHMS)}")
        try:
            self.expected = base64.b64decode(told.strip(), validate=True)
        except binascii.Error:
            raise InvalidRequest.one("Upload-Checksum", "it is not Base64") from None
        self._algorithm = algorithm
        self._hash: Hash = hashlib.new(algorithm, usedforsecurity=False)

    def add(self, piece: bytes) -> None:
        """More of the bytes."""
        self._hash.update(piece)

    def verify(self) -> None:
        """Compare, once all have come.

        Raises:
            WrongChecksum: They are others.
        """
        found = self._hash.digest()
        if found != self.expected:
            raise WrongChecksum(what="the bytes", expected=self.expected.hex(), found=found.hex())


@frozen(kw_only=True)
class Concat:
    """Whether an upload is a part, or the whole of parts."""

    raw: str
    part_ids: tuple[str, ...] | None
    """What a whole consists of; None for a part."""

    @classmethod
    def of(cls, raw: str) -> Concat:
        """Read ``Upload-Concat``.

        Raises:
            InvalidRequest: It is neither.
        """
        text = raw.strip()
        if text == "partial":
            return cls(raw=text, part_ids=None)
        if not text.startswith(_FINAL):
            raise InvalidRequest.one(CONCAT, "it is neither 'partial' nor 'final;' and the addresses of uploads")
        paths = (urlsplit(one).path for one in text.removeprefix(_FINAL).split())
        return cls(raw=text, part_ids=tuple(unquote(path.rstrip("/").rsplit("/", 1)[-1]) for path in paths))


def number_in(http: web.Request, name: str) -> int:
    """A whole number in a header.

    Raises:
        InvalidRequest: It is missing, or none.
    """
    value = http.headers.get(name)
    if value is None or _NUMBER.fullmatch(value) is None:
        raise InvalidRequest.one(name, "it is missing" if value is None else f"{value[:100]!r} is not a size in bytes")
    return int(value)


def told(session: Session) -> dict[str, str]:
    """What every answer about an upload says."""
    headers = {"Upload-Offset": str(session.received_bytes)}
    if session.job_id is not None:
        headers["X-Job-ID"] = session.job_id
    else:
        headers["Upload-Expires"] = format_datetime(session.expires_at, usegmt=True)
    return headers


def described(session: Session, metadata: str) -> dict[str, str]:
    """What a question about an upload is answered with.

    Args:
        session: The upload.
        metadata: What its client said of it.
    """
    kept = {METADATA: metadata, CONCAT: session.metadata.get(CONCAT, "")}
    return {
        **told(session),
        "Upload-Length": str(session.size_bytes),
        "Cache-Control": "no-store",
        **{name: value for name, value in kept.items() if value},
    }
