"""Uploads: what their bytes are, beside what their names say.

Only where other programs would look: the beginning, and the end. A short mark in the middle of an hour of sound means
nothing, as sooner or later every short mark is there.
"""

from __future__ import annotations

import re
import struct
from collections.abc import AsyncIterator
from typing import Final

from attrs import define, field

from whispercore.audio.signature import media_kind
from whispercore.screening.rule import UPLOAD, Finding, Rule

_HEAD_BYTES: Final = 1 << 16
_TAIL_BYTES: Final = (1 << 16) + 22
"""An archive's directory ends here at the latest."""
_SNIFFED_BYTES: Final = 1024
"""How far viewers of documents look for a beginning."""
_BOMB_RATIO: Final = 100
_BOMB_BYTES: Final = 100 << 20

_MEDIA_SUFFIXES: Final = frozenset(
    """3ga 3gp aac ac3 aif aiff amr ape asf au avi caf dts flac flv m2ts m4a m4b m4v mka mkv mov mp2 mp3 mp4 mpeg mpg
    mts mxf oga ogg ogv opus ra rm spx ts voc w64 wav weba webm wma wmv wv""".split()  # noqa: SIM905 (it is read as words)
)
_SERVED_SUFFIXES: Final = frozenset(
    """asa asax ascx ashx asmx asp aspx bat cfm cgi cmd exe hta jsp jspf jspx php php3 php4 php5 php7 php8 phar phps pht
    phtml pif scr shtml vbs""".split()  # noqa: SIM905 (it is read as words)
)
"""What servers and shells run even when another ending follows: ``shell.php.mp3``."""
_PROGRAM_SUFFIXES: Final = _SERVED_SUFFIXES | frozenset(
    """apk bash csh dll elf htaccess htm html jar jse ksh lnk mhtml msc msi msp ps1 psm1 scf sh svg svgz swf vb vbe war
    wsf wsh xht xhtml xsl xslt zsh""".split()  # noqa: SIM905 (it is read as words)
)
_ACTIVE_TYPES: Final = re.compile(
    r"text/(?:html|javascript|xml|x-(?:php|python|shellscript|sh))|image/svg|application/(?:xhtml|xml|javascript|"
    r"(?:x-)?(?:httpd-php|php|sh|msdownload|msdos-program|dosexec|executable|java-archive|bat|csh|perl|python|shockwave))"
)
"""What browsers and systems run."""
_PROGRAMS: Final = (
    b"\x7fELF",
    b"\xca\xfe\xba\xbe",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"dex\n03",
    b"\0asm",
    b"FWS",
    b"CWS",
    b"ZWS",
    b"L\0\0\0\1\x14\2\0",
    b"!<arch>\n",
    b"#!",
)
_CONTAINERS: Final = (
    b"%PDF-",
    b"PK\3\4",
    b"PK\5\6",
    b"Rar!\x1a\7",
    b"7z\xbc\xaf\x27\x1c",
    b"\x1f\x8b\x08",
    b"BZh",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"{\\rtf",
    b"MSCF\0\0\0\0",
)
_BEGINS_AS_MARKUP: Final = re.compile(
    rb"<\s{0,4}(?:!doctype\s+html|html[\s>]|script[\s>/]|svg[\s>/]|iframe[\s>]|body[\s>]|\?php|\?=|%@)"
    rb"|<\?xml[^>]{0,200}\?>\s{0,40}<(?:svg|html|!)",
    re.IGNORECASE,
)
_ENTITY: Final = re.compile(rb"<!(?:ENTITY\s|DOCTYPE[^>\[]{0,300}\[)", re.IGNORECASE)
_GLUED_CODE: Final = re.compile(
    rb"<\?php[\s\r\n]|<\?=\s?[`$@a-z]|<%@\s?page|<%\s?(?:eval|response\.|runtime)|#!/(?:usr/)?bin/\w+"
    rb"|<script[\s>/]|<!doctype\s+html|<html[\s>]|<svg[^>]{0,300}\son\w{3,20}\s?=|<iframe\s",
    re.IGNORECASE,
)
_GLUED_PROGRAM: Final = re.compile(
    rb"\x7fELF[\x01\x02]{2}\x01[\x00-\x12]\x00{7}|This program (?:cannot|must) be run (?:in DOS|under Win)"
    rb"|Rar!\x1a\x07[\x00\x01]|7z\xbc\xaf\x27\x1c\x00"
)

MASQUERADE: Final = Rule("masquerade", f"{UPLOAD}: a document, archive or page that is said to be a recording", 8)
"""A program, script, document or archive under the name of a recording."""
PROGRAM: Final = Rule("program", f"{UPLOAD}: a program or script", 8)
"""A program or script, whatever its name."""
PROGRAM_NAME: Final = Rule("program_name", f"{UPLOAD}: its name or type is that of a program", 7)
"""A name, or a declared type, by which another program would run it."""
POLYGLOT: Final = Rule("polyglot", f"{UPLOAD}: a recording that is something else too", 9)
"""A recording that is something else too."""
ACTIVE_CONTENT: Final = Rule("active_content", f"{UPLOAD}: code for browsers or servers", 8)
"""Markup that runs."""
ENTITIES: Final = Rule("xml_entities", "XML entities detected", 8)
"""A document type of its own, with which XML reads other files or grows without end."""
BOMB: Final = Rule("archive_bomb", "Decompression bomb detected", 9)
"""An archive that grows beyond measure when it is unpacked."""
RULES: Final = (MASQUERADE, PROGRAM, PROGRAM_NAME, POLYGLOT, ACTIVE_CONTENT, ENTITIES, BOMB)


@define
class Specimen:
    """What is kept of an upload while it comes in: its ends.

    Args:
        name: As it was sent.
        content_type: As it was declared.
    """

    name: str
    content_type: str = ""
    size_bytes: int = 0
    head: bytes = field(default=b"", repr=False)
    tail: bytes = field(default=b"", repr=False)

    async def watched(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same pieces, looked at as they pass."""
        async for piece in pieces:
            self.take(piece)
            yield piece

    def take(self, piece: bytes | bytearray | memoryview) -> None:
        """More of the upload."""
        self.size_bytes += len(piece)
        if len(self.head) < _HEAD_BYTES:
            self.head += bytes(piece[: _HEAD_BYTES - len(self.head)])
        end = bytes(piece[-_TAIL_BYTES:])
        self.tail = end if len(end) == _TAIL_BYTES else (self.tail + end)[-_TAIL_BYTES:]


def screened(at: str, specimen: Specimen) -> list[Finding]:
    """What is suspicious about an upload, but for its name as a text.

    Args:
        at: What findings call its place.
        specimen: What is known of it.
    """
    found: list[Rule] = []
    suffixes = re.split(r"[/\\]", specimen.name)[-1].rstrip(". ").lower().split(".")[1:]
    kind = media_kind(specimen.head)
    if _is_program_name(suffixes, specimen.content_type):
        found.append(PROGRAM_NAME)
    if kind is not None:
        if _is_polyglot(specimen):
            found.append(POLYGLOT)
    else:
        found += _disguised(specimen, claims_media=_claims_media(suffixes, specimen.content_type))
    if _is_bomb(specimen):
        found.append(BOMB)
    return [Finding(at, rule) for rule in found]


def _claims_media(suffixes: list[str], content_type: str) -> bool:
    return (bool(suffixes) and suffixes[-1] in _MEDIA_SUFFIXES) or content_type.startswith(("audio/", "video/"))


def _is_program_name(suffixes: list[str], content_type: str) -> bool:
    """``talk.mp3.exe``, ``shell.php.mp3``; but not ``Intro to Vue.js.mp4``."""
    if _ACTIVE_TYPES.match(content_type.lower()):
        return True
    bare = [re.split(r"[;:%\0]", one)[0].rstrip(". ") for one in suffixes]
    return any(one in _SERVED_SUFFIXES for one in bare[-2:]) or any(one in _PROGRAM_SUFFIXES for one in bare[-1:])


def _disguised(specimen: Specimen, *, claims_media: bool) -> list[Rule]:
    head = _plain_text(specimen.head)
    found: list[Rule] = []
    if head.startswith(_PROGRAMS) or _is_dos_program(head):
        found.append(PROGRAM)
    elif head.startswith(_CONTAINERS):
        if claims_media:
            found.append(MASQUERADE)
    elif _BEGINS_AS_MARKUP.match(head) and claims_media:
        found.append(MASQUERADE)
    if head.startswith(b"<") and _ENTITY.search(head):
        found.append(ENTITIES)
    if not head.startswith(_CONTAINERS) and (_GLUED_CODE.search(head) or _GLUED_CODE.search(specimen.tail)):
        found.append(ACTIVE_CONTENT)
    return found


def _is_polyglot(specimen: Specimen) -> bool:
    head, tail = specimen.head, specimen.tail
    if b"%PDF-" in head[:_SNIFFED_BYTES]:
        return True
    if any(_GLUED_CODE.search(part) or _GLUED_PROGRAM.search(part) for part in (head, tail)):
        return True
    return _ends_as_archive(specimen)


def _is_dos_program(head: bytes) -> bool:
    if not head.startswith((b"MZ", b"ZM")):
        return False
    return len(head) < 64 or b"PE\0\0" in head[:4096] or b"DOS mode" in head[:4096] or head[2:4] != b"\0\0"


def _plain_text(head: bytes) -> bytes:
    """Markup in UTF-8 without what may stand before it."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if head.startswith(mark):
            return head[2:].decode(encoding, errors="ignore").encode().lstrip()
    if head[1:2] == b"\0" and head[:1] == b"<":
        return head.decode("utf-16-le", errors="ignore").encode()
    bare = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    return bare if bare.startswith((b"<", b"#", b"{", b"%")) else head


# ---------------------------------------------------------------- archives


def _ends_as_archive(specimen: Specimen) -> bool:
    """Whether unpackers, which read from the end, take it for a ZIP."""
    return _directory(specimen) is not None


def _directory(specimen: Specimen) -> tuple[int, int, int] | None:
    """Number of entries, size of the directory and where it begins; None when there is none at the end."""
    tail = specimen.tail
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + 22 > len(tail):
        return None
    entries, size, start = struct.unpack_from("<HII", tail, at + 10)
    begins = at - size
    if entries == 0 or size > specimen.size_bytes or (begins >= 0 and tail[begins : begins + 4] != b"PK\1\2"):
        return None
    return entries, size, start


def _is_bomb(specimen: Specimen) -> bool:
    directory = _directory(specimen)
    if directory is not None:
        return _announced_bytes(specimen, directory[1]) > max(_BOMB_BYTES, _BOMB_RATIO * specimen.size_bytes)
    if specimen.head.startswith(b"\x1f\x8b\x08") and len(specimen.tail) > 18:
        (announced,) = struct.unpack("<I", specimen.tail[-4:])
        return bool(announced > max(_BOMB_BYTES, _BOMB_RATIO * specimen.size_bytes))
    return False


def _announced_bytes(specimen: Specimen, size: int) -> int:
    """What the entries say that they unpack to, as far as the directory is within the end that was kept."""
    tail = specimen.tail
    end = tail.rfind(b"PK\5\6")
    at, total = max(0, end - size), 0
    at = tail.find(b"PK\1\2", at, end)
    while 0 <= at <= end - 46 and tail[at : at + 4] == b"PK\1\2":
        (unpacked,) = struct.unpack_from("<I", tail, at + 24)
        name, extra, comment = struct.unpack_from("<HHH", tail, at + 28)
        total += unpacked
        at += 46 + name + extra + comment
    return total
