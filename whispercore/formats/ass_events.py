"""The style engine of subtitles: cues and a style as what Advanced SubStation Alpha shows.

Used by the format ``ass``; it knows neither files nor transcripts, so whatever has cues can be shown with it. Words
that appear as they are said need an event each: it shows the words before in one color, the word itself in another,
and keeps the room of those behind, so that no line moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from whispercore.formats.cue import Cue, Piece
from whispercore.formats.line import one_line
from whispercore.formats.options import SubtitleStyle

if TYPE_CHECKING:
    from pysubs2 import Color, SSAEvent, SSAStyle

HEIGHT: Final = 360
"""Of the picture, in pixels, that sizes in a style are for; players scale them to theirs."""
WIDTH: Final = 640
_COLUMNS: Final = {"left": 1, "center": 2, "right": 3}
_ROWS: Final = {"bottom": 0, "center": 3, "top": 6}
_TICK_MS: Final = 10
"""Times are hundredths of a second."""
_HIDDEN: Final = r"{\alpha&HFF&}"
_WIDE: Final = str.maketrans({"{": "\uff5b", "}": "\uff5d"})


def ssa_style(style: SubtitleStyle) -> SSAStyle:
    """The style as pysubs2 has it, for a picture of ``WIDTH`` by ``HEIGHT`` pixels."""
    from pysubs2 import Alignment, SSAStyle  # noqa: PLC0415 (who only lists formats does not pay for it)

    side, _, height = style.position.partition("-")
    return SSAStyle(
        fontname=style.font_family,
        fontsize=style.font_size,
        primarycolor=_color(style.word_color),
        secondarycolor=_color(style.word_color),
        # Where there is a box, players paint it in the color of the outline.
        outlinecolor=_color(style.box_color or style.outline_color),
        backcolor=_color(style.shadow_color),
        bold=True,
        borderstyle=3 if style.box_color else 1,
        outline=style.outline_width,
        shadow=style.shadow_offset,
        alignment=Alignment(_COLUMNS[side] + _ROWS[height]),
        marginl=10,
        marginr=10,
        marginv=20,
    )


def events(cues: Iterable[Cue], style: SubtitleStyle, style_name: str) -> Iterator[SSAEvent]:
    """The events that show these cues in the style of this name, in their order."""
    from pysubs2 import SSAEvent  # noqa: PLC0415 (as above)

    for cue in cues:
        start_ms = _ticks(cue.start_ms)
        end_ms = max(_ticks(cue.end_ms), start_ms + _TICK_MS)
        name = one_line(cue.segment.speaker or "").replace(",", " ")
        if style.style == "classic":
            shown = [(start_ms, r"\N".join(map(escaped, cue.lines)))]
        else:
            shown = list(_revealed(cue, style, start_ms, end_ms))
        for number, (at_ms, text) in enumerate(shown):
            until_ms = shown[number + 1][0] if number + 1 < len(shown) else end_ms
            yield SSAEvent(start=at_ms, end=until_ms, text=text, style=style_name, name=name)


def _revealed(cue: Cue, style: SubtitleStyle, start_ms: int, end_ms: int) -> Iterator[tuple[int, str]]:
    """What is shown from when on, until the next. Words that begin in the same hundredth appear together."""
    pieces = [(row, piece) for row, line in enumerate(cue.rows) for piece in line]
    at_ms, shown = start_ms, {}
    for number, (_, piece) in enumerate(pieces):
        if number:
            at_ms = min(max(at_ms, _ticks(piece.start_ms)), end_ms - _TICK_MS)
        shown[at_ms] = number
    for at_ms, number in shown.items():
        yield at_ms, _line(pieces, number, style)


def _line(pieces: list[tuple[int, Piece]], current: int, style: SubtitleStyle) -> str:
    """The text of an event in which the piece of this number is being said."""
    colored = bool(style.line_color) and style.line_color != style.word_color
    text = rf"{{\c{_tag(style.line_color)}}}" if colored and current else ""
    for number, (row, piece) in enumerate(pieces):
        if number and row != pieces[number - 1][0]:
            text += r"\N"
        if colored and current and number == current:
            text += rf"{{\c{_tag(style.word_color)}}}"
        if number == current + 1:
            text += _HIDDEN
        text += escaped(piece.text)
    return text


def escaped(text: str) -> str:
    r"""The text so that nothing in it is a command.

    There is no escape for braces that all players know, so they become those of full width; behind a backslash that
    would begin ``\N``, ``\n`` or ``\h`` comes a word joiner, as FFmpeg does it.
    """
    for letter in "Nnh":
        text = text.replace(f"\\{letter}", f"\\\u2060{letter}")
    return text.translate(_WIDE)


def _ticks(ms: int) -> int:
    return (ms + _TICK_MS // 2) // _TICK_MS * _TICK_MS


def _tag(color: str) -> str:
    """``#RRGGBB`` as override tags have it."""
    return f"&H{color[5:7]}{color[3:5]}{color[1:3]}&".upper()


def _color(color: str) -> Color:
    from pysubs2 import Color  # noqa: PLC0415 (as above)

    return Color(int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16))
