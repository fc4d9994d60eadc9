"""What can be said about how a transcript is written: a class for each kind of format.

Their defaults are what subtitlers hold to be good: two lines of 42 characters, 17 characters a second, and two frames
between one subtitle and the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, get_args

import attrs
from attrs import field, frozen

from whispercore.contract.fields import told
from whispercore.errors import InvalidOption

Layout = Literal["plain", "timestamps", "speakers", "paragraphs"]
Page = Literal["a4", "letter"]
Reveal = Literal["progressive", "classic"]
Position = Literal[
    "left-bottom",
    "center-bottom",
    "right-bottom",
    "left-center",
    "center-center",
    "right-center",
    "left-top",
    "center-top",
    "right-top",
]
LONGEST_TITLE: Final = 200
_COLOR: Final = re.compile("#[0-9A-Fa-f]{6}")
_FONT: Final = re.compile(r"[^\x00-\x1f\x7f,{}\\]{1,100}")
_Validator = Callable[[object, Any, Any], None]


def _range(low: float, high: float) -> _Validator:
    def check(_: object, attribute: Any, value: Any) -> None:
        kinds = (int, float) if attribute.type in ("float", float) else (int,)
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            raise InvalidOption(attribute.name, f"{value!r} is not between {low:g} and {high:g}")

    check.bounds = (low, high)  # type: ignore[attr-defined]  # shown wherever options are listed
    return check


def _choice(kind: Any) -> Any:
    def check(_: object, attribute: Any, value: Any) -> None:
        if value not in get_args(kind):
            raise InvalidOption(attribute.name, f"{value!r} is not one of {', '.join(get_args(kind))}")

    return check


def _flag(_: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, bool):
        raise InvalidOption(attribute.name, f"{value!r} is neither true nor false")


def _color(_: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not _COLOR.fullmatch(value):
        raise InvalidOption(attribute.name, f"{value!r} is no color such as #FFCC00")


def _color_or_none(_: object, attribute: Any, value: Any) -> None:
    if value != "":
        _color(_, attribute, value)


def _title(_: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or len(value) > LONGEST_TITLE:
        raise InvalidOption(attribute.name, f"it is longer than {LONGEST_TITLE} characters")


def _font(_: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not _FONT.fullmatch(value):
        raise InvalidOption(attribute.name, f"{value!r} is not the name of a font")


@frozen(kw_only=True)
class NoOptions:
    """Of formats that are always written in the same way."""


@frozen(kw_only=True)
class JsonOptions:
    """Of JSON with all fields."""

    paragraphs: bool = field(
        default=False,
        validator=_flag,
        metadata=told("What was said once more, in paragraphs of sentences with their times and speakers."),
    )


@frozen(kw_only=True)
class TextOptions:
    """Of plain text."""

    layout: Layout = field(
        default="plain",
        validator=_choice(Layout),
        metadata=told(
            "A line for each segment; the same with its times before; a paragraph for each speaker; or paragraphs by "
            "pauses too."
        ),
    )
    speakers: bool = field(
        default=True, validator=_flag, metadata=told("Write the name of the speaker where it is known.")
    )


@frozen(kw_only=True)
class DocumentOptions:
    """Of documents for people."""

    layout: Layout = field(
        default="timestamps",
        validator=_choice(Layout),
        metadata=told(
            "A paragraph for each segment; the same with its time before; one for each speaker; or by pauses too."
        ),
    )
    speakers: bool = field(
        default=True, validator=_flag, metadata=told("Write the name of the speaker where it is known.")
    )
    title: str = field(default="", validator=_title, metadata=told("What stands above it; nothing when it is empty."))
    page: Page = field(default="a4", validator=_choice(Page), metadata=told("The size of a page."))


@frozen(kw_only=True)
class PdfOptions(DocumentOptions):
    """Of PDF."""

    fonts_dir: Path | None = field(default=None, repr=False)
    """A folder with more fonts, for scripts that ours does not have; by default that of the setting. Only for programs
    on the machine itself."""


@frozen(kw_only=True)
class TableOptions:
    """Of tables with commas."""

    words: bool = field(
        default=False, validator=_flag, metadata=told("A row for each word, where their times are known.")
    )
    escape_formulas: bool = field(
        default=True,
        validator=_flag,
        metadata=told("An apostrophe before what a spreadsheet would take for a formula, as OWASP advises."),
    )


@frozen(kw_only=True)
class CueOptions:
    """Of subtitles."""

    line_length: int = field(
        default=42,
        validator=_range(10, 200),
        metadata=told("Characters on a line; those of double width count twice. Words are never cut."),
    )
    lines: int = field(default=2, validator=_range(1, 4), metadata=told("Lines of a subtitle."))
    reading_speed: float = field(
        default=17.0,
        validator=_range(5, 60),
        metadata=told("Characters a second that can be read: a subtitle stays as long, if there is time."),
    )
    gap_ms: int = field(
        default=80, validator=_range(0, 2000), metadata=told("Milliseconds between a subtitle and the next.")
    )
    speakers: bool = field(
        default=True, validator=_flag, metadata=told("Name the speaker at the beginning of what he says.")
    )


@frozen(kw_only=True)
class VttOptions(CueOptions):
    """Of WebVTT."""

    words: bool = field(
        default=False, validator=_flag, metadata=told("The time of each word in the cue, so that players can show it.")
    )


@frozen(kw_only=True)
class LyricsOptions:
    """Of lyrics."""

    line_length: int = field(
        default=42,
        validator=_range(10, 200),
        metadata=told("Characters on a line; those of double width count twice. Words are never cut."),
    )
    speakers: bool = field(
        default=True, validator=_flag, metadata=told("Name the speaker at the beginning of what he says.")
    )
    words: bool = field(default=False, validator=_flag, metadata=told("The time of each word in the line."))
    title: str = field(default="", validator=_title, metadata=told("The title in the file's head."))


@frozen(kw_only=True, slots=False)
class SubtitleStyle:
    """How subtitles look: the eleven settings of seed 003, and its defaults."""

    style: Reveal = field(
        default="progressive",
        validator=_choice(Reveal),
        metadata=told("Words appear as they are said, or the whole subtitle at once."),
    )
    font_family: str = field(default="Arial", validator=_font, metadata=told("The name of the font."))
    font_size: int = field(
        default=24, validator=_range(6, 300), metadata=told("Its size, in pixels of a picture 360 pixels high.")
    )
    word_color: str = field(
        default="#FFFFFF", validator=_color, metadata=told("The word that is being said; in classic style all.")
    )
    line_color: str = field(
        default="",
        validator=_color_or_none,
        metadata=told("The words before it; as the word itself when it is empty."),
    )
    shadow_color: str = field(default="#808080", validator=_color, metadata=told("The shadow."))
    shadow_offset: int = field(
        default=1, validator=_range(0, 20), metadata=told("How far the shadow falls, in pixels.")
    )
    box_color: str = field(
        default="", validator=_color_or_none, metadata=told("A box behind the text; none when it is empty.")
    )
    position: Position = field(
        default="center-bottom", validator=_choice(Position), metadata=told("Where in the picture.")
    )
    outline_color: str = field(default="#000000", validator=_color, metadata=told("The outline of the letters."))
    outline_width: int = field(default=2, validator=_range(0, 20), metadata=told("Its width, in pixels."))


@frozen(kw_only=True)
class AssOptions(CueOptions, SubtitleStyle):
    """Of Advanced SubStation Alpha."""

    title: str = field(default="", validator=_title, metadata=told("The title in the file's head."))


def public(kind: type[attrs.AttrsInstance]) -> dict[str, attrs.Attribute[Any]]:
    """The options that may come from elsewhere, by name: over HTTP and from the command line."""
    return {one.name: one for one in attrs.fields(kind) if one.metadata}
