"""A recording as callers have it, and as a file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from whispercore.audio.joined import PartFiles
from whispercore.errors import InvalidOption

Audio = str | Path | tuple[Path, ...] | PartFiles | bytes | BinaryIO
"""A file by its path, or by those of its parts, or the bytes of one. A binary stream is read to its end."""


def known_channels(_: object, __: object, value: str) -> None:
    """Check how channels are to be taken, as a validator of attrs.

    Raises:
        InvalidOption: It is neither ``mix`` nor ``separate``.
    """
    if value not in ("mix", "separate"):
        raise InvalidOption("channels", f"{value!r} is neither 'mix' nor 'separate'")


@contextmanager
def on_disk(audio: Audio) -> Iterator[tuple[Path | PartFiles, str]]:
    """The recording as a file, since decoders seek, and what to call it in errors."""
    if isinstance(audio, str | Path):
        yield Path(audio), Path(audio).name
        return
    if isinstance(audio, tuple | PartFiles):
        parts = audio if isinstance(audio, PartFiles) else PartFiles(audio)
        yield parts, parts.paths[0].name
        return
    with tempfile.NamedTemporaryFile(prefix="whispercore-") as file:
        if isinstance(audio, bytes | bytearray | memoryview):
            file.write(audio)
        else:
            shutil.copyfileobj(audio, file)
        file.flush()
        yield Path(file.name), str(getattr(audio, "name", "the recording"))
