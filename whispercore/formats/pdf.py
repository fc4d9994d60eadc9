"""PDF, by fpdf2, with the font of this package and those of a folder."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from whispercore.errors import InvalidOption
from whispercore.formats.line import one_line
from whispercore.formats.options import PdfOptions
from whispercore.formats.paragraph import Paragraph, is_right_to_left, paragraphs
from whispercore.formats.timestamps import stamp
from whispercore.transcript import Transcript

if TYPE_CHECKING:
    from fpdf import FPDF

FONT: Final = Path(__file__).with_name("fonts") / "DejaVuSans.ttf"
_ENDINGS: Final = frozenset({".ttf", ".otf"})
_SIZE_PT: Final = 11
_TITLE_PT: Final = 18
_LINE_MM: Final = 6.0
_TITLE_LINE_MM: Final = 10.0
_GAP_MM: Final = 2.0
_GREY: Final = 112
_SHOWN: Final = 5
"""Characters that are named when no font has them."""
_SIMPLE: Final = 0x0300
"""Below it are letters that stand side by side; behind it are marks, and scripts that have to be shaped."""


def write(transcript: Transcript, options: PdfOptions) -> bytes:
    """A paragraph for each of ``whispercore.formats.paragraph``: the time in grey, the speaker, the text.

    Text is shaped and, from right to left, put in order and set on the right.

    Raises:
        InvalidOption: There is a character that none of the fonts has.
    """
    found = list(paragraphs(transcript, options.layout, speakers=options.speakers))
    title = one_line(options.title)
    texts = [title, *(text for one in found for text in (one.speaker, one.text))]
    fonts, invisible = _fonts(texts, options.fonts_dir)
    pdf = _document(options, title, fonts)
    if title:
        pdf.set_font_size(_TITLE_PT)
        _say(pdf, _TITLE_LINE_MM, title.translate(invisible))
        pdf.set_font_size(_SIZE_PT)
    for one in found:
        _paragraph(pdf, one, invisible, timed=options.layout == "timestamps")
    return bytes(pdf.output())


def _paragraph(pdf: FPDF, one: Paragraph, invisible: dict[int, None], *, timed: bool) -> None:
    pdf.ln(_GAP_MM)
    head = [stamp(one.start_ms, ".")[:-4]] if timed else []
    head += [one.speaker.translate(invisible)] if one.speaker else []
    if head:
        pdf.set_text_color(_GREY)
        _say(pdf, _LINE_MM, "  ".join(head))
        pdf.set_text_color(0)
    _say(pdf, _LINE_MM, one.text.translate(invisible))


def _say(pdf: FPDF, height_mm: float, text: str) -> None:
    from fpdf.enums import Align, XPos, YPos  # noqa: PLC0415 (only who writes one needs it)

    turned = is_right_to_left(text)
    # Shaping costs several times as much as the rest, and changes nothing where letters stand side by side.
    pdf.set_text_shaping(max(map(ord, text), default=0) >= _SIMPLE)
    pdf.multi_cell(0, height_mm, text, align=Align.R if turned else Align.L, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _document(options: PdfOptions, title: str, fonts: Sequence[Path]) -> FPDF:
    from fpdf import FPDF  # noqa: PLC0415 (as above)

    class Numbered(FPDF):
        """With the number of each page at its foot."""

        def footer(self) -> None:
            self.set_y(-15)
            self.set_text_color(_GREY)
            self.set_text_shaping(use_shaping_engine=False)
            self.cell(0, 10, str(self.page_no()), align="C")
            self.set_text_color(0)

    pdf = Numbered(format=options.page)
    pdf.set_title(title)
    pdf.set_creator("whispercore")
    for number, path in enumerate(fonts):
        pdf.add_font(f"font{number}", fname=path)
    pdf.set_font("font0", size=_SIZE_PT)
    pdf.set_fallback_fonts([f"font{number}" for number in range(1, len(fonts))], exact_match=False)
    pdf.add_page()
    return pdf


def _fonts(texts: Iterable[str], folder: Path | None) -> tuple[list[Path], dict[int, None]]:
    """The fonts that these texts need, and what is invisible and in none of them.

    Raises:
        InvalidOption: Something visible is in none of them.
    """
    needed = {ord(character) for text in texts for character in text}
    chosen = [FONT]
    missing = needed - _characters(FONT)
    for path in _more(folder) if missing else ():
        has = _characters(path)
        if missing & has:
            chosen.append(path)
            missing -= has
    invisible = {code for code in missing if _is_invisible(chr(code))}
    if seen := sorted(missing - invisible):
        shown = ", ".join(f"{chr(code)} (U+{code:04X})" for code in seen[:_SHOWN])
        more = f" and {len(seen) - _SHOWN} more" if len(seen) > _SHOWN else ""
        raise InvalidOption(
            "format",
            f"pdf has no font for {shown}{more}; WHISPERCORE_FONTS can name a folder with fonts that have them",
        )
    return chosen, dict.fromkeys(invisible)


def _more(folder: Path | None) -> list[Path]:
    if folder is None:
        from whispercore.settings import Settings  # noqa: PLC0415 (only where our font is not enough)

        folder = Settings.from_environment().fonts_dir
    if folder is None:
        return []
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS)


def _characters(path: Path) -> set[int]:
    """The characters that a font has; none if the file is no font."""
    from fontTools.ttLib import TTFont, TTLibError  # noqa: PLC0415 (as above)

    with path.open("rb") as file:
        try:
            return set(TTFont(file, lazy=True).getBestCmap() or {})
        except TTLibError:
            return set()


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"
