"""Answers that never change while a server runs: documents, pages and what these load."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Final

from aiohttp import ETag, web
from attrs import field, frozen

FOREVER: Final = "public, max-age=31536000, immutable"
"""For what has its version in its path."""
REVALIDATE: Final = "no-cache"
"""May be kept, but has to be asked for again: the tag tells whether it is another."""


@frozen(kw_only=True, slots=False)
class Fixed:
    """An answer.

    Args:
        packed: Its body, compressed with gzip.
        media_type: With its charset.
        caching: The value of ``Cache-Control``.
        headers: More of them.
    """

    packed: bytes = field(repr=False)
    media_type: str
    caching: str = REVALIDATE
    headers: Mapping[str, str] = field(factory=dict)

    @classmethod
    def of(cls, body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Fixed:
        """The answer with this body."""
        return cls(packed=gzip.compress(body, mtime=0), media_type=media_type, headers=headers or {})

    @cached_property
    def tag(self) -> ETag:
        """A weak one, as the same body travels compressed and plain."""
        return ETag(value=hashlib.sha256(self.packed).hexdigest()[:32], is_weak=True)

    @property
    def body(self) -> bytes:
        """Its body."""
        return gzip.decompress(self.packed)

    async def respond(self, http: web.Request) -> web.StreamResponse:
        """Send it; a handler."""
        headers = {"Cache-Control": self.caching, "Vary": "Accept-Encoding", **self.headers}
        if any(one.value in ("*", self.tag.value) for one in http.if_none_match or ()):
            response = web.Response(status=304, headers=headers)
        elif _takes_gzip(http.headers.get("Accept-Encoding", "")):
            response = web.Response(body=self.packed, headers={**headers, "Content-Encoding": "gzip"})
        else:
            response = web.Response(body=self.body, headers=headers)
        response.headers["Content-Type"] = self.media_type
        response.etag = self.tag
        return response


def _takes_gzip(accepted: str) -> bool:
    for one in accepted.lower().split(","):
        coding, _, weight = one.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
