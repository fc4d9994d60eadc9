"""The formats that a transcript can be written in.

Listing and choosing formats costs nothing: the libraries behind them are imported by the first transcript written.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from whispercore.errors import InvalidOption
from whispercore.formats import ass, csv, docx, json, lrc, pdf, srt, tsv, txt, verbose_json, vtt
from whispercore.formats.format import Format, Option
from whispercore.formats.options import (
    AssOptions,
    CueOptions,
    DocumentOptions,
    JsonOptions,
    LyricsOptions,
    NoOptions,
    PdfOptions,
    TableOptions,
    TextOptions,
    VttOptions,
)
from whispercore.transcript import Transcript

__all__ = [
    "FORMATS",
    "AssOptions",
    "CueOptions",
    "DocumentOptions",
    "Format",
    "JsonOptions",
    "LyricsOptions",
    "NoOptions",
    "Option",
    "PdfOptions",
    "TableOptions",
    "TextOptions",
    "VttOptions",
    "write",
]

_ALL = (
    Format(
        name="txt",
        description="Plain text: one segment on a line, with times if wanted, or by speaker",
        mime_type="text/plain",
        extension=".txt",
        supports_timestamps=False,
        options_class=TextOptions,
        writer=txt.write,
    ),
    Format(
        name="srt",
        description="SubRip subtitles",
        mime_type="application/x-subrip",
        extension=".srt",
        supports_timestamps=True,
        options_class=CueOptions,
        writer=srt.write,
    ),
    Format(
        name="vtt",
        description="WebVTT subtitles",
        mime_type="text/vtt",
        extension=".vtt",
        supports_timestamps=True,
        options_class=VttOptions,
        writer=vtt.write,
    ),
    Format(
        name="json",
        description="All that is known, as JSON",
        mime_type="application/json",
        extension=".json",
        supports_timestamps=True,
        options_class=JsonOptions,
        writer=json.write,
    ),
    Format(
        name="tsv",
        description="Table of start, end (milliseconds) and text, separated by tabs",
        mime_type="text/tab-separated-values",
        extension=".tsv",
        supports_timestamps=True,
        writer=tsv.write,
    ),
    Format(
        name="verbose_json",
        description="JSON with the names that OpenAI's verbose_json has",
        mime_type="application/json",
        extension=".verbose.json",
        supports_timestamps=True,
        writer=verbose_json.write,
    ),
    Format(
        name="csv",
        description="Table of start, end (seconds), speaker, confidence and text, separated by commas",
        mime_type="text/csv",
        extension=".csv",
        supports_timestamps=True,
        options_class=TableOptions,
        writer=csv.write,
    ),
    Format(
        name="lrc",
        description="Lyrics, with a time for each line or word",
        mime_type="text/x-lrc",
        extension=".lrc",
        supports_timestamps=True,
        options_class=LyricsOptions,
        writer=lrc.write,
    ),
    Format(
        name="ass",
        description="Advanced SubStation Alpha: subtitles with a look, whose words appear as they are said",
        mime_type="text/x-ssa",
        extension=".ass",
        supports_timestamps=True,
        options_class=AssOptions,
        writer=ass.write,
    ),
    Format(
        name="docx",
        description="Word document",
        mime_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        extension=".docx",
        supports_timestamps=True,
        options_class=DocumentOptions,
        writer=docx.write,
        is_text=False,
        needs=("docx",),
    ),
    Format(
        name="pdf",
        description="PDF document",
        mime_type="application/pdf",
        extension=".pdf",
        supports_timestamps=True,
        options_class=PdfOptions,
        writer=pdf.write,
        is_text=False,
        needs=("fpdf", "uharfbuzz"),
    ),
)
FORMATS: Mapping[str, Format] = MappingProxyType({one.name: one for one in _ALL})
"""All formats by name."""


def write(transcript: Transcript, name: str, options: object = None) -> str | bytes:
    """The transcript in the format of this name: text, which can always be encoded as UTF-8, or the bytes of a file.

    Args:
        transcript: What to write.
        name: Of the format.
        options: An object of the format's ``options_class``; None for its defaults.

    Raises:
        InvalidOption: No format has this name, the options are those of another one, what it is written with is not
            installed, or it cannot hold this transcript.
    """
    if name not in FORMATS:
        raise InvalidOption("format", f"{name!r} is not one of {', '.join(FORMATS)}")
    return FORMATS[name].write(transcript, options)
