"""What an archive says of itself: a manifest at its beginning, and a list of all its members at its end."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Final, TypeVar

from attrs import asdict, field, frozen

from whispercore.contract.wire import STRICT, dumps, loads
from whispercore.errors import BackupDamaged

FORMAT: Final = 1
"""Of the archive. One with another number is refused."""
MANIFEST: Final = "manifest.json"
DATABASE: Final = "database.sqlite"
MEMBERS: Final = "members.jsonl"
PART: Final = re.compile(r"files/([A-Za-z0-9_-]{1,64})/(0|[1-9][0-9]{0,8})", re.ASCII)
"""Name of a part of a file."""
MOST_MANIFEST_BYTES: Final = 1 << 20
MOST_LINE_BYTES: Final = 4096

_T = TypeVar("_T")


@frozen(kw_only=True)
class Manifest:
    """The first member."""

    id: str
    created_at: datetime
    """The moment that the copy is of."""
    version: str
    """Of whispercore, which made it."""
    schemas: dict[str, str]
    """Version of the tables, by whose they are: ``whispercore``, and the names of plugins."""
    rows: dict[str, int]
    """How many rows each table has."""
    files: int
    """How many files there are."""
    parts: int
    """How many parts they have."""
    stored_bytes: int
    """What these take."""
    format: int = FORMAT

    def dump(self) -> bytes:
        """As JSON."""
        return dumps(self) + b"\n"

    @classmethod
    def load(cls, data: bytes) -> Manifest:
        """The manifest that was written.

        Raises:
            BackupDamaged: It is none, or of a format that is not known here.
        """
        manifest = _loaded(data, cls, "its manifest cannot be read")
        if manifest.format != FORMAT:
            raise BackupDamaged(f"it has format {manifest.format}, and only {FORMAT} is known here")
        return manifest


@frozen(kw_only=True)
class Member:
    """A line of the last member: what another one is."""

    name: str
    size_bytes: int = 0
    sha256: str = ""
    """Of what is in it, in hexadecimal; empty when it is not there."""
    damaged: str = field(default="")
    """What was wrong with it when the copy was made; empty for nothing."""

    def dump(self) -> bytes:
        """As a line of JSON."""
        return json.dumps({key: value for key, value in asdict(self).items() if value != ""}).encode() + b"\n"

    @classmethod
    def load(cls, line: bytes) -> Member:
        """The member of a line.

        Raises:
            BackupDamaged: It is none.
        """
        return _loaded(line, cls, "its list of members cannot be read")


def _loaded(data: bytes, kind: type[_T], failure: str) -> _T:
    try:
        return STRICT.structure(loads(data), kind)
    except Exception as error:  # whatever a stranger's JSON makes of the converter
        raise BackupDamaged(failure) from error
