"""A part of a long list."""

from __future__ import annotations

from typing import Generic, TypeVar

from attrs import frozen

_T = TypeVar("_T")


@frozen
class Slice:
    """Which part."""

    offset: int = 0
    """How many rows are left out at the beginning."""
    limit: int = 50


@frozen
class Page(Generic[_T]):
    """The rows of a slice, and how many there are in all."""

    rows: tuple[_T, ...]
    total: int
