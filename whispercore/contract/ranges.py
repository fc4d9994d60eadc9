"""Parts of a file that a request asks for (RFC 9110, section 14): one range of bytes; others are not honoured."""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from whispercore.errors import RangeNotSatisfiable

_RANGE: Final = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)


@frozen(kw_only=True)
class Span:
    """The bytes from ``start`` to before ``end``."""

    start: int
    end: int

    def of(self, size_bytes: int) -> str:
        """As ``Content-Range`` says it."""
        return f"bytes {self.start}-{self.end - 1}/{size_bytes}"


def asked_span(asked: str | None, size_bytes: int) -> Span | None:
    """The span of a header ``Range``; None for the whole file, which what cannot be read asks for too.

    Raises:
        RangeNotSatisfiable: The file has no such bytes.
    """
    found = _RANGE.fullmatch(asked or "")
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:  # so many at the end
        start, end = max(0, size_bytes - int(found[2])), size_bytes
    else:
        start, end = int(found[1]), min(size_bytes, int(found[2]) + 1) if found[2] else size_bytes
        if found[2] and int(found[2]) < start:
            return None
    if start >= end:
        raise RangeNotSatisfiable(size_bytes)
    return Span(start=start, end=end)
