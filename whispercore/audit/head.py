"""The head of the trail: where it begins and ends, signed, so that nothing is taken off its ends unseen."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Final

from attrs import asdict, frozen

GENESIS: Final = "0" * 64
"""What the first event of all follows."""
_PURPOSE: Final = "whispercore audit head 1"


@frozen(kw_only=True)
class Head:
    """Where the trail begins and ends."""

    first: int
    """Position of the oldest event that is kept; one above ``last`` when none is."""
    first_previous_hash: str
    """Hash of the event before it."""
    last: int
    """Position of the newest event; 0 when there was none yet."""
    last_hash: str

    def signature(self, secret: bytes) -> str:
        """HMAC-SHA256 in hexadecimal."""
        content = [_PURPOSE, self.first, self.first_previous_hash, self.last, self.last_hash]
        return hmac.new(secret, json.dumps(content).encode(), hashlib.sha256).hexdigest()

    def columns(self, secret: bytes) -> dict[str, int | str]:
        """As they are kept: what it says, and the signature."""
        return {**asdict(self), "signature": self.signature(secret)}

    def signed_by(self, secret: bytes, signature: str) -> bool:
        """Whether this is what was signed with this key."""
        return hmac.compare_digest(self.signature(secret).encode(), signature.encode())


EMPTY: Final = Head(first=1, first_previous_hash=GENESIS, last=0, last_hash=GENESIS)
"""Of a trail without events."""
