"""What parent and child say to each other: a length, a JSON header and raw bytes. Never pickle.

A child may be under the control of a hostile recording or model. So the parent believes no length without a limit and
builds nothing but the attrs classes of its own codec.
"""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable
from typing import BinaryIO

import attrs
from cattrs import Converter
from cattrs.strategies import configure_union_passthrough

_LENGTHS = struct.Struct("<II")
MAX_HEADER_BYTES = 4 << 20
MAX_BODY_BYTES = 64 << 20


class BadFrame(Exception):
    """The other side sent something that is no frame of ours."""


class Codec:
    """The message classes that two sides agree on, by name."""

    def __init__(self, *messages: type[attrs.AttrsInstance]) -> None:
        self._classes = {message.__name__: message for message in messages}
        self._converter = Converter(forbid_extra_keys=True)
        configure_union_passthrough(str | int | float | bool | None, self._converter)

    def encode(self, message: object) -> bytes:
        """The JSON header of a message."""
        fields = self._converter.unstructure(message)
        return json.dumps([type(message).__name__, fields]).encode()

    def decode(self, header: bytes) -> object:
        """The message of a header.

        Raises:
            BadFrame: It is not one of ours.
        """
        try:
            kind, fields = json.loads(header)
            return self._converter.structure(fields, self._classes[kind])
        except Exception as error:
            raise BadFrame(f"unreadable header of {len(header)} bytes: {error!r}") from error


class Channel:
    """Messages over a pair of binary streams. Sending is safe in threads; receiving is for one thread."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO, codec: Codec, *, isolated: bool = False) -> None:
        self.isolated = isolated
        """True in a process of its own, which may limit itself."""
        self._reader = reader
        self._writer = writer
        self._codec = codec
        self._sending = threading.Lock()

    def send(self, message: object, body: bytes | memoryview = b"") -> None:
        """Write one frame whole.

        Raises:
            OSError: The other side is gone.
        """
        header = self._codec.encode(message)
        with self._sending:
            self._writer.write(_LENGTHS.pack(len(header), len(body)))
            self._writer.write(header)
            self._writer.write(body)
            self._writer.flush()

    def receive(self) -> tuple[object, bytes] | None:
        """The next frame; None when the other side has closed or died, also in the middle of one.

        Raises:
            BadFrame: What arrived is not a frame of ours.
        """
        lengths = self._exactly(_LENGTHS.size)
        if lengths is None:
            return None
        header_bytes, body_bytes = _LENGTHS.unpack(lengths)
        if header_bytes > MAX_HEADER_BYTES or body_bytes > MAX_BODY_BYTES:
            raise BadFrame(f"a frame of {header_bytes} + {body_bytes} bytes")
        header = self._exactly(header_bytes)
        body = self._exactly(body_bytes)
        if header is None or body is None:
            return None
        return self._codec.decode(header), body

    def _exactly(self, n_bytes: int) -> bytes | None:
        data = self._reader.read(n_bytes)
        return data if len(data) == n_bytes else None


Serve = Callable[[Channel], None]
"""A child's work: reads messages until the channel ends. It returns when ``receive`` gives None."""
