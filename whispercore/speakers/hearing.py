"""A diarizer listens to a whole recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from whispercore import tracing
from whispercore.audio import MAX_WINDOW_S
from whispercore.audio.decoder import Decoder, Sound
from whispercore.audio.joined import PartFiles
from whispercore.audio.readers import Readers
from whispercore.engines.engine import Control, Window
from whispercore.errors import IncompleteMedia
from whispercore.speakers.diarizer import Diarizer, OnHeard, Turn


def hear(
    diarizer: Diarizer,
    recording: Path | PartFiles,
    *,
    name: str,
    speakers: int | None,
    control: Control,
    readers: Readers | None,
    on_open: Callable[[Sound], None],
    on_heard: OnHeard,
) -> tuple[Turn, ...]:
    """The turns of a recording, as far as it can be read.

    Args:
        diarizer: Tells the voices apart; its models are here.
        recording: Its file, or those of its parts.
        name: What errors call it.
        speakers: How many people speak; None to find out.
        control: Cancelling it ends the work.
        readers: Where to take a decoder child from.
        on_open: Told what the recording is, before anything is heard.
        on_heard: Told how many seconds are done.

    Raises:
        MediaError: Nothing of it can be read. What is missing of the rest is told by whoever transcribes it.
        Cancelled: Through ``control``.
        EngineError: The computation failed.
    """
    with Decoder(recording, name=name, control=control, readers=readers) as decoder:
        on_open(decoder.sound)
        windows = _readable(decoder.windows(MAX_WINDOW_S))
        with tracing.span("diarize"):
            return diarizer.diarize(windows, speakers=speakers, control=control, on_heard=on_heard)


def _readable(windows: Iterator[Window]) -> Iterator[Window]:
    with suppress(IncompleteMedia):
        yield from windows
