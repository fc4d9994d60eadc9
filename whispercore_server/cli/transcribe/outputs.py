"""Where transcripts go when ``--output`` names a place: under which names, and whole or not at all."""

from __future__ import annotations

import collections
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from attrs import define, frozen

from whispercore.errors import InvalidOption, WhispercoreError
from whispercore.formats import FORMATS
from whispercore.transcript import Transcript
from whispercore_server.cli.transcribe.inputs import Recording

DEFAULT_FORMAT = "txt"
_OPTION = "--output"


@define
class OutputError(WhispercoreError):
    """A transcript could not be written."""

    code = "output_error"
    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} cannot be written: {self.reason}"


@frozen
class Target:
    """One file to write."""

    path: Path
    format: str

    def write(self, transcript: Transcript) -> None:
        """Write it whole: whoever looks meanwhile sees the old file, or none.

        Raises:
            OutputError: The disk is full, for instance.
        """
        try:
            _replace(self.path, transcript.to(self.format).encode())
        except OSError as error:
            raise OutputError(str(self.path), error.strerror or str(error)) from error


def chosen(formats: Sequence[str] | None, output: Path | None) -> tuple[str, ...]:
    """The formats that were asked for, each once; else what the ending of the output says; else text.

    Raises:
        InvalidOption: A format has an unknown name, or there are several for standard output.
    """
    if not formats:
        ending = output.suffix.lower() if output is not None and not output.is_dir() else ""
        return (next((name for name, one in FORMATS.items() if one.extension == ending), DEFAULT_FORMAT),)
    names = tuple(dict.fromkeys(formats))
    for name in names:
        if name not in FORMATS:
            raise InvalidOption("--format", f"{name!r} is not one of {', '.join(FORMATS)}")
    if output is None and len(names) > 1:
        raise InvalidOption("--format", "several formats need a folder to go to: add --output DIR")
    return names


def plan(recordings: Sequence[Recording], output: Path, formats: Sequence[str]) -> list[tuple[Target, ...]]:
    """The files to write for each recording, no two of them the same; their folder is made.

    Args:
        recordings: What is read; none of it may be overwritten.
        output: A folder, or the name of the only file.
        formats: What to write of each.

    Raises:
        InvalidOption: It is a file where a folder is needed, would overwrite a recording, or cannot be made.
    """
    several = len(recordings) > 1 or len(formats) > 1
    if several and not output.is_dir() and (output.exists() or _is_named_like_a_file(output)):
        raise InvalidOption(_OPTION, f"{output} is a file, but several files are to be written: name a folder")
    if several or output.is_dir():
        _make(output)
        planned = [
            tuple(Target(output / f"{name}{FORMATS[one].extension}", one) for one in formats)
            for name in _names(recordings)
        ]
    else:
        _make(output.parent)
        planned = [(Target(output, formats[0]),)]
    _spare(recordings, planned)
    return planned


def _is_named_like_a_file(path: Path) -> bool:
    return any(path.suffix.lower() == one.extension for one in FORMATS.values())


def _names(recordings: Sequence[Recording]) -> list[str]:
    """A name for each: its stem, its full name where others have that stem, with a number where that is not enough.

    Case does not tell them apart, since it does not on every file system.
    """
    stems = collections.Counter(one.path.stem.casefold() for one in recordings)
    names: dict[str, str] = {}
    for one in recordings:
        base = name = one.path.stem if stems[one.path.stem.casefold()] == 1 else one.path.name
        number = 1
        while name.casefold() in names:
            number += 1
            name = f"{base}.{number}"
        names[name.casefold()] = name
    return list(names.values())


def _spare(recordings: Sequence[Recording], planned: Sequence[tuple[Target, ...]]) -> None:
    read = {one.path.resolve() for one in recordings if isinstance(one.audio, Path)}
    for targets in planned:
        for target in targets:
            if target.path.resolve() in read:
                raise InvalidOption(_OPTION, f"{target.path} is one of the recordings, and would be overwritten")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidOption(_OPTION, f"the folder {folder} cannot be made: {error.strerror or error}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidOption(_OPTION, f"the folder {folder} cannot be written to")


def _replace(path: Path, data: bytes) -> None:
    if path.exists() and not path.is_file():
        path.write_bytes(data)  # a pipe or device, such as /dev/stdout: a file in its place is not what was meant
        return
    target = path.resolve()  # a link stays, and what it names is replaced
    draft = target.with_name(f".whispercore-{secrets.token_hex(6)}.tmp")
    try:
        draft.write_bytes(data)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
