"""Fields of requests that need saying more than their name and type."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncGenerator, Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from attrs import field, frozen

Place = Literal["path", "query", "header", "body", "whole_body", "octets"]

PLACE: Final = "whispercore.place"
WIRE: Final = "whispercore.wire"
HELP: Final = "whispercore.help"
SPOKEN: Final = "whispercore.spoken"
UPLOAD_ID: Final = "X-Upload-ID"
"""The header in which a sender of a form says what the id of its file will be, where an endpoint lets him choose."""
UPLOAD_LENGTH: Final = "X-Upload-Length"
"""The header in which he says how many bytes the file has, where the length of the request does not tell."""

ENCRYPTED_KEY: Final = "X-Encrypted-Key"
"""The header of a file that is sealed already, with the key that opens its parts, wrapped for the server."""
ENCRYPTED_FOR: Final = "X-Encrypted-For"
"""The header with the public key of its sender, if that is wrapped for him too."""
PLAIN_SHA256: Final = "X-Plain-SHA256"
"""The header with the SHA-256 of the file's own bytes."""


class Unset(Enum):
    """The type of ``UNSET``."""

    UNSET = "unset"

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET
"""Default of a PATCH's fields: absent leaves a value alone, None clears it."""


def told(
    text: str, *, place: Place | None = None, wire: str | None = None, spoken: bool = False
) -> dict[str, str | bool]:
    """Metadata of a field: a sentence about it, and, where they are not the usual ones, its place and name.

    Args:
        text: For the reference and for OpenAPI.
        place: Where it travels; by default ids in the path, the rest in the query or, if the method has one, the body.
        wire: Its name there, if that is no Python name: ``font-family``, ``files[]``.
        spoken: Whether it is what people said, who may have said anything: no text of it looks like an attack.
    """
    given = {HELP: text, PLACE: place, WIRE: wire, SPOKEN: spoken}
    return {key: value for key, value in given.items() if value}


def query(text: str = "") -> dict[str, str | bool]:
    """Metadata of a field that travels in the query, whatever the method."""
    return told(text, place="query")


def header(name: str, text: str = "") -> dict[str, str | bool]:
    """Metadata of a field that travels in a header."""
    return told(text, place="header", wire=name)


def wire(name: str, text: str = "") -> dict[str, str | bool]:
    """Metadata of a field whose name on the wire is no Python name."""
    return told(text, wire=name)


def whole_body(text: str = "") -> dict[str, str | bool]:
    """Metadata of a field that is the whole body, and not a member of it."""
    return told(text, place="whole_body")


@frozen(kw_only=True)
class Upload:
    """A file that travels in a request.

    A caller gives a ``Path``, an open binary file or bytes. A handler gets what was received: counted, hashed and
    staged under ``id``; it keeps the file, or it is gone when the request is over.
    """

    name: str = field(kw_only=False)
    content_type: str = "application/octet-stream"
    size_bytes: int | None = None
    sha256: str | None = None
    """In hexadecimal; known once it was received."""
    id: str | None = None
    """Of the stored file; known once it was received."""
    source: Path | BinaryIO | bytes | None = field(default=None, repr=False, eq=False)
    """Where a caller's file comes from."""


def upload(source: Path | BinaryIO | bytes | Upload) -> Upload:
    """What callers give, as an ``Upload``: the converter of such fields."""
    if isinstance(source, Upload):
        return source
    if isinstance(source, Path):
        return Upload(source.name, content_type=_guessed(source.name), source=source)
    if isinstance(source, bytes):
        return Upload("upload", size_bytes=len(source), source=source)
    name = Path(str(getattr(source, "name", "upload"))).name
    return Upload(name, content_type=_guessed(name), source=source)


@frozen
class Octets:
    """A body that is bytes and nothing else.

    A caller gives them. A handler gets them as they come, and reads them when it wants them.
    """

    data: bytes = field(default=b"", repr=False)
    """What a caller sends; empty in what a handler gets."""

    @property
    def announced_bytes(self) -> int | None:
        """How many there are, if that is known."""
        return len(self.data)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The bytes, for a handler.

        Raises:
            InvalidRequest: They break off, or are not what the headers say.
        """
        yield self.data


def octets(source: bytes | bytearray | memoryview | Octets) -> Octets:
    """What callers give, as ``Octets``: the converter of such fields."""
    return source if isinstance(source, Octets) else Octets(bytes(source))


def listed(texts: Sequence[str] | str) -> list[str]:
    """What callers give, as a list; a text has commas between its items: the converter of lists of names."""
    given = [texts] if isinstance(texts, str) else texts
    return [one.strip() for text in given for one in text.split(",")]


def _guessed(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


Validator = Callable[[object, Any, Any], None]


def between(low: float, high: float) -> Validator:
    """A validator of numbers, both ends allowed; None passes."""

    def check(_: object, __: object, value: Any) -> None:
        if value is not None and value is not UNSET and not low <= value <= high:
            raise ValueError(f"{value} is not between {_written(low)} and {_written(high)}")

    check.bounds = (low, high)  # type: ignore[attr-defined]  # OpenAPI shows them
    return check


def _written(bound: float) -> str:
    """Large numbers as people write them, and not as 1e+09."""
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


def length(low: int, high: int) -> Validator:
    """A validator of texts and lists, both ends allowed; None passes."""

    def check(_: object, __: object, value: Any) -> None:
        if value is not None and value is not UNSET and not low <= len(value) <= high:
            raise ValueError(f"its length is {len(value)}, not between {low} and {high}")

    check.lengths = (low, high)  # type: ignore[attr-defined]  # OpenAPI shows them
    return check
