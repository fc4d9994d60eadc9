"""A third party's group of endpoints, which works with our clients as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Generic

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Channel, Endpoint, Raw, Stream
from whispercore.contract.fields import Upload, header, upload, wire
from whispercore.contract.group import T_co
from whispercore.contract.messages import Event, Message, Octets


@frozen(kw_only=True)
class Make:
    name: str
    key: str | None = field(default=None, metadata=header("Idempotency-Key"))


@frozen(kw_only=True)
class Made:
    pass


@frozen(kw_only=True)
class Ticks:
    pass


@frozen(kw_only=True)
class Tick(Event):
    n: int


@frozen(kw_only=True)
class Said(Message):
    pass


@frozen(kw_only=True)
class Text(Said):
    text: str


@frozen(kw_only=True)
class Heard(Message):
    text: str


@frozen(kw_only=True)
class Up(Message):
    pass


@frozen(kw_only=True)
class Sound(Octets, Up):
    pass


@frozen(kw_only=True)
class Down(Message):
    pass


@frozen(kw_only=True)
class Echo(Octets, Down):
    pass


@frozen(kw_only=True)
class Over(Down):
    pass


def _uploads(given: Sequence[Path | BinaryIO | bytes | Upload]) -> list[Upload]:
    return [upload(one) for one in given]


@frozen(kw_only=True)
class Several:
    files: list[Upload] = field(metadata=wire("files[]"), converter=_uploads)
    note: str = ""


class Odd(TranscriberGroup[T_co], Generic[T_co]):
    tag = "odd"
    upload = Raw("PATCH", "/odd/{id}", scope=None, doc="Bytes.")
    make = Endpoint("POST", "/odd", Make, Made, scope=None, doc="Make one.")
    nothing = Endpoint("DELETE", "/odd", Ticks, type(None), scope=None, doc="Nothing comes back.")
    several = Endpoint("POST", "/odd/files", Several, Made, scope=None, doc="Files.")
    ticks = Stream("GET", "/odd/ticks", Ticks, Tick, scope=None, doc="A stream without a final event.")
    talk = Channel("GET", "/odd/talk", Ticks, Said, Heard, scope=None, doc="A socket.")
    pipe = Channel("GET", "/odd/pipe", Ticks, Up, Down, scope=None, doc="A socket for bytes.")
