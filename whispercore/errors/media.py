"""What can be wrong with a recording."""

from __future__ import annotations

from attrs import define, field

from whispercore.errors.root import WhispercoreError
from whispercore.transcript import Transcript


@define
class MediaError(WhispercoreError):
    """The recording cannot be read as it should."""

    code = "media_error"
    name: str
    found: str
    """What was found in the file, in words."""

    def __str__(self) -> str:
        return f"{self.name}: {self.found}"


@define
class NotMedia(MediaError):
    """The file is neither audio nor video that can be read."""

    code = "not_media"

    def __str__(self) -> str:
        return f"{self.name} is not audio or video: {self.found}"


@define
class NoSound(MediaError):
    """The file is media, but has no audio track."""

    code = "no_sound"

    def __str__(self) -> str:
        return f"{self.name} has no sound: {self.found}"


@define
class IncompleteMedia(MediaError):
    """Only a part of the sound can be read. The two kinds below are raised."""

    code = "incomplete_media"
    read_s: float = 0.0
    """Seconds of sound that could be read."""
    declared_s: float | None = None
    """Seconds that the file says it has; None when it does not say."""
    transcript: Transcript | None = field(default=None, repr=False)
    """What was said in the part that could be read; None when there was none."""

    def _extent(self) -> str:
        if not self.read_s:  # nothing could be, or nobody has tried yet
            return ""
        of = f" of {self.declared_s:.1f}" if self.declared_s is not None else ""
        return f"; {self.read_s:.1f}{of} s could be read"


@define
class TruncatedMedia(IncompleteMedia):
    """The end of the file is missing."""

    code = "truncated_media"

    def __str__(self) -> str:
        return f"{self.name} is cut off: {self.found}{self._extent()}"


@define
class DamagedMedia(IncompleteMedia):
    """Parts of the file cannot be decoded."""

    code = "damaged_media"

    def __str__(self) -> str:
        return f"{self.name} is damaged: {self.found}{self._extent()}"


@define
class FetchFailed(MediaError):
    """The recording could not be fetched from where it is said to be. ``name`` is the host."""

    code = "fetch_failed"
    passing: bool = True
    """Whether another attempt may help."""

    def __str__(self) -> str:
        return f"{self.name} did not give the recording: {self.found}"
