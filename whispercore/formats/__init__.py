"""The formats that a transcript can be written in.

Listing and choosing formats costs nothing: the libraries behind them are imported by the first transcript written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import frozen

from whispercore.errors import InvalidOption
from whispercore.formats import json, srt, tsv, txt, vtt
from whispercore.transcript import Transcript


@frozen(kw_only=True)
class Format:
    """A way to write a transcript as text."""

    name: str
    description: str
    mime_type: str
    extension: str
    """With its dot, as ``Path.with_suffix`` takes it."""
    supports_timestamps: bool
    """Whether what is written says when something was said."""
    write: Callable[[Transcript], str]


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        format_.name: format_
        for format_ in (
            Format(
                name="txt",
                description="Plain text, one segment on a line",
                mime_type="text/plain",
                extension=".txt",
                supports_timestamps=False,
                write=txt.write,
            ),
            Format(
                name="srt",
                description="SubRip subtitles",
                mime_type="application/x-subrip",
                extension=".srt",
                supports_timestamps=True,
                write=srt.write,
            ),
            Format(
                name="vtt",
                description="WebVTT subtitles",
                mime_type="text/vtt",
                extension=".vtt",
                supports_timestamps=True,
                write=vtt.write,
            ),
            Format(
                name="json",
                description="All that is known, as JSON",
                mime_type="application/json",
                extension=".json",
                supports_timestamps=True,
                write=json.write,
            ),
            Format(
                name="tsv",
                description="Table of start, end (milliseconds) and text, separated by tabs",
                mime_type="text/tab-separated-values",
                extension=".tsv",
                supports_timestamps=True,
                write=tsv.write,
            ),
        )
    }
)
"""All formats by name."""


def write(transcript: Transcript, name: str) -> str:
    """The transcript in the format of this name.

    The result can always be encoded as UTF-8.

    Raises:
        InvalidOption: No format has this name.
    """
    if name not in FORMATS:
        raise InvalidOption("format", f"{name!r} is not one of {', '.join(FORMATS)}")
    return FORMATS[name].write(transcript)
