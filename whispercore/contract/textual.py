"""What can be written as a text, for a path, query, header or form, and read from it again."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin
from uuid import UUID

from whispercore.contract.fields import Unset

_TEXTUAL: Final = (str, int, float, bool, datetime, UUID, NoneType, Unset)
"""Beside enumerations."""


def is_textual(kind: Any) -> bool:
    """Whether values of this type can."""
    if get_origin(kind) is Literal:
        return True
    if get_args(kind):
        return get_origin(kind) not in (list, tuple, dict) and all(map(is_textual, get_args(kind)))
    return kind in _TEXTUAL or (isinstance(kind, type) and issubclass(kind, Enum))
