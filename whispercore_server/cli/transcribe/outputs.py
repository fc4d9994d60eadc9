"""Where transcripts go when ``--output`` names a place: under which names, and whole or not at all."""

from __future__ import annotations

import collections
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import define, field, frozen

from whispercore.errors import InvalidOption, WhispercoreError
from whispercore.formats import FORMATS
from whispercore.formats.options import LONGEST_TITLE, public
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
    options: Mapping[str, Any] = field(factory=dict)
    """Of the format, by name."""

    def write(self, transcript: Transcript) -> None:
        """Write it whole: whoever looks meanwhile sees the old file, or none.

        Raises:
            InvalidOption: The format cannot hold it.
            OutputError: The disk is full, for instance.
        """
        try:
            options = FORMATS[self.format].options_of(self.options)
            _replace(self.path, transcript.to_bytes(self.format, options))
        except OSError as error:
            raise OutputError(str(self.path), error.strerror or str(error)) from error


def chosen(formats: Sequence[str] | None, output: Path | None) -> tuple[str, ...]:
    """The formats that were asked for, each once; else what the ending of the output says; else text.

    Raises:
        InvalidOption: A format has an unknown name, or there are several for standard output.
    """
    if not formats:
        name = output.name.lower() if output is not None and not output.is_dir() else ""
        fitting = [one for one in FORMATS.values() if name.endswith(one.extension)]
        return (max(fitting, key=lambda one: len(one.extension)).name if fitting else DEFAULT_FORMAT,)
    names = tuple(dict.fromkeys(formats))
    for name in names:
        if name not in FORMATS:
            raise InvalidOption("--format", f"{name!r} is not one of {', '.join(FORMATS)}")
    if output is None and len(names) > 1:
        raise InvalidOption("--format", "several formats need a folder to go to: add --output DIR")
    return names


def needs_file(formats: Sequence[str]) -> None:
    """Make sure that all of these formats are text, since they shall go to standard output.

    Raises:
        InvalidOption: One is not.
    """
    for name in formats:
        if not FORMATS[name].is_text:
            raise InvalidOption("--format", f"{name} is no text for standard output: add --output FILE")


def plan(
    recordings: Sequence[Recording],
    output: Path,
    formats: Sequence[str],
    options: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> list[tuple[Target, ...]]:
    """The files to write for each recording, no two of them the same; their folder is made.

    Args:
        recordings: What is read; none of it may be overwritten.
        output: A folder, or the name of the only file.
        formats: What to write of each.
        options: Of each format; titles that are not among them are the names of the recordings.

    Raises:
        InvalidOption: It is a file where a folder is needed, would overwrite a recording, or cannot be made.
    """
    several = len(recordings) > 1 or len(formats) > 1
    if several and not output.is_dir() and (output.exists() or _is_named_like_a_file(output)):
        raise InvalidOption(_OPTION, f"{output} is a file, but several files are to be written: name a folder")
    if several or output.is_dir():
        _make(output)
        planned = [
            tuple(
                Target(output / f"{name}{FORMATS[one].extension}", one, _titled(one, options, recording))
                for one in formats
            )
            for name, recording in zip(_names(recordings), recordings, strict=True)
        ]
    else:
        _make(output.parent)
        planned = [(Target(output, formats[0], _titled(formats[0], options, recordings[0])),)]
    _spare(recordings, planned)
    return planned


def _is_named_like_a_file(path: Path) -> bool:
    return any(path.suffix.lower() == one.extension for one in FORMATS.values())


def _titled(name: str, options: Mapping[str, Mapping[str, Any]], recording: Recording) -> dict[str, Any]:
    has_title = "title" in public(FORMATS[name].options_class)
    usual = {"title": recording.path.stem[:LONGEST_TITLE]} if has_title else {}
    return {**usual, **options.get(name, {})}


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
