"""Long patterns, written as what they are: lists."""

from __future__ import annotations


def either(*patterns: str) -> str:
    """One of these patterns."""
    return f"(?:{'|'.join(patterns)})"


def words(text: str) -> str:
    """One of these words, which are patterns too."""
    return either(*text.split())
