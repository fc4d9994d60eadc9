"""Answers that take long: proxies and clients take a connection for dead on which nothing comes.

What comes before the answer means nothing in its format: white space in JSON, a comment between events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Final

from attrs import frozen

from whispercore.database.undisturbed import broken_off
from whispercore_server.streams import QUIET_S


@frozen
class Filler:
    """What means nothing in a format."""

    first: bytes
    """Sent first. But for white space at its end it is the beginning of every answer, which need not be sent again."""
    again: bytes
    """Sent after it."""


JSON: Final = Filler(b" ", b" ")
EVENTS: Final = Filler(b": still here\n\n", b": still here\n\n")
TEXTS: Final = {"text": Filler(b"\n", b"\n"), "srt": Filler(b"\n", b"\n"), "vtt": Filler(b"WEBVTT\n\n", b"\n")}
"""For the formats that are no JSON."""


async def kept_alive(pieces: AsyncGenerator[bytes, None], filler: Filler) -> AsyncGenerator[bytes, None]:
    """The pieces, and the filler whenever none has come for a while.

    Args:
        pieces: The answer.
        filler: What may stand before and between them.
    """
    is_begun = False
    async with aclosing(pieces):
        waiting = asyncio.ensure_future(anext(pieces))
        try:
            while True:
                done, _ = await asyncio.wait((waiting,), timeout=QUIET_S)
                if not done:
                    yield filler.again if is_begun else filler.first
                    is_begun = True
                    continue
                with suppress(StopAsyncIteration):
                    piece = waiting.result()
                    yield piece.removeprefix(filler.first.rstrip()) if is_begun else piece
                    is_begun = True
                    waiting = asyncio.ensure_future(anext(pieces))
                    continue
                return
        finally:
            await broken_off(waiting)
