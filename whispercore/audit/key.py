"""The key that the trail's head is signed with. It is not in the database, so who can write there cannot sign."""

from __future__ import annotations

from typing import ClassVar

from whispercore.key_file import KeyFile


class AuditKey(KeyFile):
    """The key of a trail."""

    name: ClassVar[str] = "audit key"
    file_name: ClassVar[str] = "audit.key"
