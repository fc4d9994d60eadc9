"""The root of all errors, and those that belong to no part."""

from __future__ import annotations

from typing import ClassVar

from attrs import define


class WhispercoreError(Exception):
    """Something went wrong in whispercore."""

    code: ClassVar[str] = "error"


@define
class InvalidOption(WhispercoreError):
    """An option has a value that cannot work."""

    code = "invalid_option"
    option: str
    reason: str

    def __str__(self) -> str:
        return f"{self.option}: {self.reason}"


class Cancelled(WhispercoreError):
    """The transcription was cancelled."""

    code = "cancelled"

    def __str__(self) -> str:
        return "the transcription was cancelled"
