"""What a file is, by its first bytes, for error messages that help; and whether a container says that more follows."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

_MEDIA = (
    (0, b"RIFF", "a RIFF (wav or avi) file"),
    (0, b"RF64", "an RF64 wav file"),
    (0, b"fLaC", "a FLAC file"),
    (0, b"OggS", "an Ogg file"),
    (0, b"ID3", "an MP3 file"),
    (0, b"\xff\xfb", "an MP3 file"),
    (0, b"\xff\xf3", "an MP3 file"),
    (0, b"\xff\xf2", "an MP3 file"),
    (0, b"\xff\xf1", "an AAC file"),
    (0, b"\xff\xf9", "an AAC file"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM file"),
    (4, b"ftyp", "an MP4 or QuickTime file"),
    (4, b"moov", "a QuickTime file"),
    (4, b"mdat", "a QuickTime file"),
    (0, b"FORM", "an AIFF file"),
    (0, b"caff", "a Core Audio file"),
    (0, b"0&\xb2u", "a Windows Media file"),
    (0, b"#!AMR", "an AMR file"),
)
_OTHER = (
    (0, b"#EXTM3U", "a playlist (M3U)"),
    (0, b"ffconcat", "a playlist (ffconcat)"),
    (0, b"[playlist]", "a playlist (PLS)"),
    (0, b"#!", "a script"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\3\4", "a ZIP archive or Office document"),
    (0, b"\x89PNG", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF8", "a GIF image"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf", "a 7z archive"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a Windows program"),
    (0, b"SQLite format 3", "a database"),
    (0, b"<?xml", "an XML document"),
    (0, b"<!DOCTYPE", "a web page"),
    (0, b"<html", "a web page"),
    (0, b"lmgg", "a whisper.cpp model"),
)
_TAIL_BYTES = 1 << 17
_OGG_END = 4
_MP4_PARTS = 10_000
"""So many are looked at: fragmented files have two for each few seconds, hostile ones one for each eight bytes."""


def media_kind(head: bytes) -> str | None:
    """The kind of media that a file claims to be; None when it claims no kind that is known."""
    return _first(_MEDIA, head)


def describe(head: bytes) -> str:
    """What a file is that is no media, in words."""
    if not head:
        return "an empty file"
    known = _first(_OTHER, head)
    if known is not None:
        return known
    if not head.strip(b"\0"):
        return "a file of zeros"
    if _is_text(head):
        return "a text file that begins with " + repr(head.decode(errors="ignore").strip().splitlines()[0][:40])
    return f"an unknown kind of file that begins with the bytes {head[:8].hex(' ')}"


def missing_end(file: BinaryIO) -> str | None:
    """Why the end of a file must be missing, by what its container says of itself; None when nothing shows it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(16)
    try:
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return _missing_in_mp4(file, size)
        if head.startswith(b"RIFF"):
            declared = struct.unpack("<I", head[4:8])[0] + 8
            if 8 < declared < 0xFFFFFF00 and declared - size > 1:
                return f"its header announces {declared:,} bytes, the file has {size:,}"
        if head.startswith(b"OggS"):
            return _missing_in_ogg(file, size)
    except struct.error:
        return f"its header ends after {len(head)} bytes"
    finally:
        file.seek(0)
    return None


def _missing_in_mp4(file: BinaryIO, size: int) -> str | None:
    at, seen = 0, set[bytes]()
    for _ in range(_MP4_PARTS):
        if at + 8 > size:
            break
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            length = struct.unpack(">Q", file.read(8))[0]
        elif length == 0:
            length = size - at
        if length < 8:
            return None
        seen.add(kind)
        at += length
        if at > size:
            return f"its part {kind.decode('latin-1')!r} announces {at:,} bytes, the file has {size:,}"
    return "its index (moov) is missing" if b"moov" not in seen else None


def _missing_in_ogg(file: BinaryIO, size: int) -> str | None:
    """RFC 3533: the last page of a stream carries the end-of-stream flag."""
    file.seek(max(0, size - _TAIL_BYTES))
    tail = file.read()
    page = tail.rfind(b"OggS")
    if page < 0 or page + 27 > len(tail):
        return "its last page is cut off"
    segments = tail[page + 26]
    whole = page + 27 + segments + sum(tail[page + 27 : page + 27 + segments])
    if whole > len(tail):
        return "its last page is cut off"
    return None if tail[page + 5] & _OGG_END else "its last page is missing"


def _first(table: tuple[tuple[int, bytes, str], ...], head: bytes) -> str | None:
    return next((name for at, magic, name in table if head[at : at + len(magic)] == magic), None)


def _is_text(head: bytes) -> bool:
    try:
        text = head[:200].decode()
    except UnicodeDecodeError as error:
        if error.start < min(len(head), 200) - 3:
            return False
        text = head[: error.start].decode()
    return bool(text.strip()) and all(character.isprintable() or character.isspace() for character in text)
