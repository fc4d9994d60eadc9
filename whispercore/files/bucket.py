"""A bucket of S3, and how to get at it. Imports no store: settings need it before one is there."""

from __future__ import annotations

import os
from typing import Final

from attrs import field, frozen

from whispercore.parsers import without_password

PATIENCE_S: Final = 20.0


@frozen(kw_only=True)
class Bucket:
    """A bucket, and how to get at it."""

    name: str
    endpoint: str | None = None
    """Where the store answers, such as ``http://127.0.0.1:9000``; AWS where there is none."""
    region: str | None = None
    access_key: str | None = field(default=None, repr=False)
    """Where there is none, what AWS's own variables, files and machines say."""
    secret_key: str | None = field(default=None, repr=False)
    patience_s: float = PATIENCE_S
    """How long a request is tried again before the store counts as away."""

    def __str__(self) -> str:
        return without_password(self.endpoint or os.environ.get("AWS_ENDPOINT_URL", "AWS"))
