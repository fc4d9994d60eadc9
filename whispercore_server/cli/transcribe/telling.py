"""What is said on stderr about a recording that failed, is damaged, or is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from whispercore.errors import (
    Cancelled,
    DamagedMedia,
    IncompleteMedia,
    InvalidOption,
    InvalidRequest,
    JobFailed,
    MediaError,
    ModelError,
    NotAuthenticated,
    NotPermitted,
    TruncatedMedia,
    UnexpectedReply,
    Unreachable,
    WhispercoreError,
)
from whispercore.transcript import Damage, Dropped, Transcript
from whispercore_server.cli.exits import ExitCode, exit_code
from whispercore_server.cli.terminal import Screen
from whispercore_server.cli.transcribe.inputs import Recording

_OF_ALL: Final = (
    InvalidOption,
    ModelError,
    Cancelled,
    InvalidRequest,
    NotAuthenticated,
    NotPermitted,
    Unreachable,
    UnexpectedReply,
)
"""What every recording would suffer from, so that one telling is enough."""
_SHOWN: Final = 5
"""Places that are named."""
_HINT: Final = ". Add --keep-damaged for the transcript of that part"


@frozen
class Teller:
    """Tells how recordings went."""

    screen: Screen
    quiet: bool
    looks_first: bool
    """See ``Place``: of what is refused as damaged, there may be a transcript all the same."""

    def done(self, recording: Recording, transcript: Transcript, written: Sequence[Path]) -> None:
        """It is transcribed."""
        if transcript.damage is not None and not self.quiet:
            self.screen.complain("warning", str(_error(recording, transcript.damage)))
        if transcript.no_speech and not self.quiet:
            self.screen.complain("warning", f"{recording.label}: nobody speaks in it")
        if not self.quiet:
            for gone in transcript.fallback_from:
                self.screen.complain("warning", f"{recording.label}: {gone.full_name} was passed over: {gone.reason}")
        if transcript.dropped and not self.quiet:
            self.screen.complain("warning", f"{recording.label}: {_left_out(transcript.dropped)}")
        for path in written:
            self.screen.note(f"{recording.label} → {path}")

    def failed(self, recording: Recording, error: BaseException) -> ExitCode:
        """It is not; the others go on.

        Raises:
            WhispercoreError: The error is not one of this recording: the rest would fail in the same way.
            BaseException: The error is one of this program.
        """
        if isinstance(error, _OF_ALL):
            raise error
        if not isinstance(error, WhispercoreError | OSError):
            raise error
        self.screen.complain("error", self._sentence(recording, error))
        return ExitCode.UNREADABLE if isinstance(error, OSError) else exit_code(error)

    def _sentence(self, recording: Recording, error: WhispercoreError | OSError) -> str:
        match error:
            case OSError():
                return f"{recording.label}: {error.strerror or error}"
            case MediaError():
                error.name = recording.label  # with its folder, and not the name of a temporary file
                partial = isinstance(error, IncompleteMedia) and (self.looks_first or error.transcript is not None)
                return f"{error}{_HINT if partial else ''}"
            case JobFailed():
                said = error.error or error.failure_reason or "the server does not say why it failed"
                # A server says its name in sentences about recordings only.
                named = said.startswith(f"{recording.path.name} ")
                partial = error.failure_reason in (TruncatedMedia.code, DamagedMedia.code)
                words = said.removeprefix(recording.path.name) if named else f": {said}"
                return f"{recording.label}{words}{_HINT if partial else ''}"
            case _:
                return f"{recording.label}: {error}"


def _left_out(dropped: Sequence[Dropped]) -> str:
    shown = [f"{one.start_s:g} to {one.end_s:g} s" for one in dropped[:_SHOWN]]
    more = f" and {len(dropped) - _SHOWN} more" if len(dropped) > _SHOWN else ""
    return f"what seems made up was left out: {', '.join(shown)}{more}"


def _error(recording: Recording, damage: Damage) -> IncompleteMedia:
    """The error that was not raised, for its words."""
    kind = TruncatedMedia if damage.kind == TruncatedMedia.code else DamagedMedia
    return kind(recording.label, damage.found, damage.read_s, damage.declared_s)
