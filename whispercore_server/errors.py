"""What only a server raises."""

from __future__ import annotations

from attrs import define

from whispercore.errors import WhispercoreError


@define
class CannotStart(WhispercoreError):
    """A server or worker cannot start as things are on this machine."""

    code = "cannot_start"
    reason: str

    def __str__(self) -> str:
        return self.reason
