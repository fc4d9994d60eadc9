"""What is kept in place of a secret that nobody can guess."""

from __future__ import annotations

import hashlib


def digest(secret: str) -> bytes:
    """Its SHA-256."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
