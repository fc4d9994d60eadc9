"""A child for tests: says what it hears, or dies as it is told."""

from __future__ import annotations

import os
import struct
import sys

from attrs import frozen

from whispercore.children.frames import Channel, Codec


@frozen
class Say:
    text: str


@frozen
class Do:
    how: str


CODEC = Codec(Say, Do)


def serve(channel: Channel) -> None:
    while (frame := channel.receive()) is not None:
        message, body = frame
        if isinstance(message, Do):
            _do(message.how, channel)
        else:
            channel.send(message, body)


def _do(how: str, channel: Channel) -> None:
    writer = channel._writer
    match how:
        case "print":
            print("on stdout", flush=True)  # noqa: T201
            os.write(1, b"from C, as it were\n")
            channel.send(Say("printed"))
        case "shout":
            sys.stderr.write("x" * 2_000_000)
            channel.send(Say("shouted"))
        case "segfault":
            import ctypes

            ctypes.string_at(0)
        case "abort":
            os.abort()
        case "raise":
            raise ZeroDivisionError
        case "exit":
            os._exit(3)
        case "nonsense":
            writer.write(struct.pack("<II", 5, 0) + b"[1,2]")
            writer.flush()
        case "huge":
            writer.write(struct.pack("<II", 5, 0xFFFFFFF0))
            writer.flush()
