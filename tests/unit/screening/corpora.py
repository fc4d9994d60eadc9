"""Honest text and attacks, a line each."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from whispercore.screening.uploads import Specimen

HERE = Path(__file__).parent
SEEDS = HERE.parents[1] / "seeds"
MEDIA = {
    "wav": b"RIFF\x24\x10\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0\0\x7d\0\0\2\0\x10\0data\0\x10\0\0"
    + bytes(range(256)),
    "mp3": b"ID3\4\0\0\0\0\0\x17TIT2\0\0\0\7\0\0\0A talk\0\xff\xfb\x90\x64" + bytes(range(256)),
    "mp4": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(range(256)),
    "ogg": b"OggS\0\2" + bytes(range(256)),
    "flac": b"fLaC\0\0\0\x22" + bytes(range(256)),
    "mkv": b"\x1aE\xdf\xa3\xa3\x42\x86\x81\1" + bytes(range(256)),
}


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line]


def honest() -> dict[str, list[str]]:
    """By what they are."""
    return {path.stem: lines(path) for path in sorted((HERE / "honest").glob("*.txt"))}


def attacks(kind: str) -> list[str]:
    return lines(HERE / "attacks" / f"{kind}.txt")


@frozen
class SentFile:
    line: str
    specimen: Specimen


def uploads() -> Iterator[SentFile]:
    """Hostile uploads, as they were sent."""
    for line in lines(HERE / "attacks" / "uploads.txt"):
        if line.startswith("# "):
            continue
        name, content_type, recipe = line.split(" | ", 2)
        yield SentFile(line, specimen(name, content_type, content(recipe)))


def specimen(name: str, content_type: str, data: bytes, *, step: int = 1 << 16) -> Specimen:
    made = Specimen(name, content_type)
    for at in range(0, len(data), step):
        made.take(data[at : at + step])
    return made


def content(recipe: str) -> bytes:
    """The bytes of a recipe: escapes as in Python, names of kinds of files in braces."""
    parts = re.split(r"(\{(?:wav|mp3|mp4|ogg|flac|mkv|zip)\})", recipe)
    return b"".join(_part(part) for part in parts)


def _part(part: str) -> bytes:
    if part == "{zip}":
        return archive({"x.txt": b"x" * 100})
    if part.startswith("{") and part[1:-1] in MEDIA:
        return MEDIA[part[1:-1]]
    return part.encode("latin-1").decode("unicode_escape").encode("latin-1")


def archive(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return made.getvalue()
