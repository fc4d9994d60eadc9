"""Word documents (Office Open XML), by python-docx."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from whispercore.formats.line import one_line
from whispercore.formats.options import DocumentOptions
from whispercore.formats.paragraph import Paragraph, is_right_to_left, paragraphs
from whispercore.formats.timestamps import stamp
from whispercore.transcript import Transcript

if TYPE_CHECKING:
    from docx.document import Document

_NOT_XML = re.compile("[\ufffe\uffff]")
"""Beside the control characters and surrogates that no line has, XML 1.0 has no way to say these."""
_SIZES_MM = {"a4": (210, 297), "letter": (215.9, 279.4)}


def write(transcript: Transcript, options: DocumentOptions) -> bytes:
    """A paragraph for each of ``whispercore.formats.paragraph``: its time in grey, the speaker in bold, the text.

    Text from right to left is marked as such. What XML has no way to say becomes U+FFFD.
    """
    import docx  # noqa: PLC0415 (only who writes one needs it)

    document = docx.Document()
    _prepare(document, options)
    title = _xml(one_line(options.title))
    if title:
        document.add_heading(title, level=0)
    add = _Adder(document)
    for one in paragraphs(transcript, options.layout, speakers=options.speakers):
        add.paragraph(one, timed=options.layout == "timestamps")
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def _prepare(document: Document, options: DocumentOptions) -> None:
    from docx.shared import Mm  # noqa: PLC0415 (as above)

    width_mm, height_mm = _SIZES_MM[options.page]
    for section in document.sections:
        section.page_width, section.page_height = Mm(width_mm), Mm(height_mm)
    told = document.core_properties
    told.title, told.author, told.comments = _xml(one_line(options.title)), "whispercore", ""
    told.created = told.modified = datetime.now(UTC)


class _Adder:
    def __init__(self, document: Document) -> None:
        self._document = document

    def paragraph(self, one: Paragraph, *, timed: bool) -> None:
        from docx.shared import RGBColor  # noqa: PLC0415 (as above)

        paragraph = self._document.add_paragraph()
        turned = is_right_to_left(one.text)
        if turned:
            _mark(paragraph._p.get_or_add_pPr(), "w:bidi")  # noqa: SLF001 (python-docx has no other way)
        if timed:
            run = paragraph.add_run(f"{stamp(one.start_ms, '.')[:-4]}  ")
            run.font.color.rgb = RGBColor(0x70, 0x70, 0x70)
        if one.speaker:
            name = paragraph.add_run(f"{_xml(one.speaker)}: ")
            name.bold = True
        said = paragraph.add_run(_xml(one.text))
        said.font.rtl = turned or None


def _mark(properties: Any, name: str) -> None:
    from docx.oxml import OxmlElement  # noqa: PLC0415 (as above)

    properties.append(OxmlElement(name))


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
