"""What streams and channels carry: classes that name themselves, and files."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, ClassVar, Self, TypeVar

from attrs import field, frozen

from whispercore.contract.wire import Json, patiently, plain

_T = TypeVar("_T", bound="Tagged")
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Tagged:
    """A message whose class travels as a name: ``SegmentHeard`` is ``segment_heard`` unless it says otherwise.

    A stream or channel is declared with a base class; what travels are its subclasses.
    """

    tag: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "tag" not in cls.__dict__:
            cls.tag = _CAPITAL.sub("_", cls.__name__).lower()

    def to_json(self) -> Json:
        """Its fields."""
        return plain(self)


def tagged(base: type[_T]) -> dict[str, type[_T]]:
    """The classes that travel for this base class, by tag."""
    inner = {tag: kind for one in base.__subclasses__() for tag, kind in tagged(one).items()}
    return inner or {base.tag: base}


def untagged(base: type[_T], tag: str, value: Json) -> _T | None:
    """The message of a tag and its fields; None for a tag that this version does not know.

    Raises:
        ValueError: The fields do not fit.
    """
    kind = tagged(base).get(tag)
    return None if kind is None or issubclass(kind, Octets) else patiently(value, kind)


@frozen(kw_only=True)
class Event(Tagged):
    """Base class of server-sent events."""

    id: str | None = field(default=None, metadata={"whispercore.place": "envelope"})
    """Where to go on after a break: the ``Last-Event-ID`` of the next request."""

    def to_json(self) -> Json:
        """Its fields, without the id, which travels beside them."""
        body = plain(self)
        assert isinstance(body, dict)
        del body["id"]
        return body

    @classmethod
    def at(cls, body: Json, id: str | None) -> Self:  # noqa: A002
        """An event of its fields and the id beside them.

        Raises:
            ValueError: The fields do not fit.
        """
        if not isinstance(body, dict):
            raise ValueError("the data of an event is not an object")  # noqa: TRY004 (it is a value from outside)
        return patiently({**body, "id": id}, cls)


@frozen(kw_only=True)
class Message(Tagged):
    """Base class of what a WebSocket carries: JSON with the class as ``type`` beside the fields."""


@frozen(kw_only=True)
class Octets(Message):
    """What travels as a binary frame: bytes, and nothing beside them. A channel has one class of it at most, each way.

    Such a class derives from this one and from the channel's base class.
    """

    data: bytes = field(repr=False)


def octets_of(base: type[_T]) -> type[_T] | None:
    """The class of a channel's binary frames; None where it has none."""
    return next((kind for kind in tagged(base).values() if issubclass(kind, Octets)), None)


@frozen(kw_only=True)
class Content:
    """A file as the answer to a download."""

    body: bytes | AsyncIterator[bytes] | Callable[[int, int], AsyncIterator[bytes]] = field(repr=False)
    """What gives the bytes from one place to before another may be asked for a part, and needs ``size_bytes``."""
    media_type: str
    filename: str | None = None
    """What it is called where somebody keeps it; None for an answer that is no file to keep."""
    size_bytes: int | None = None
    """None when it is not known before the end."""
    etag: str | None = None
    """Names these bytes, in quotation marks: who asks for the rest of them with ``If-Range`` gets no others."""
    inline: bool = False
    """Whether a browser shows it, in place of keeping it as a file."""
    status: int | None = None
    """Where it is another than the declared one."""
    headers: Mapping[str, str] = field(factory=dict)
    """More of them."""
    elsewhere: str | None = field(default=None, repr=False)
    """An address that gives the same, to which a GET is sent on."""
    still: Callable[[], Awaitable[object]] | None = field(default=None, repr=False)
    """Asked now and then while it is sent; what it raises for who may have no more of it ends the answer."""
    after: Callable[[], Awaitable[object]] | None = field(default=None, repr=False)
    """Done once all of it was sent, or nobody takes it any more: nobody waits for it. It is not broken off."""
