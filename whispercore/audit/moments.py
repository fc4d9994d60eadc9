"""Dates and times as people write them in a filter."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from whispercore.errors import InvalidRequest

_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


def beginning(text: str | None, field: str) -> datetime | None:
    """What a filter begins with: the first moment of a date, or a moment itself; None when nothing was said.

    Args:
        text: ISO 8601; in UTC unless it says otherwise.
        field: Where it was said.

    Raises:
        InvalidRequest: It is neither a date nor a time.
    """
    return None if text is None else _read(text, field)[0]


def end(text: str | None, field: str) -> datetime | None:
    """The moment after a filter ends, which includes the day or the moment that was named.

    Args:
        text: ISO 8601; in UTC unless it says otherwise.
        field: Where it was said.

    Raises:
        InvalidRequest: It is neither a date nor a time.
    """
    if text is None:
        return None
    moment, is_date = _read(text, field)
    try:
        return moment + (_DAY if is_date else _MICROSECOND)
    except OverflowError:
        raise _wrong(text, field) from None


def _read(text: str, field: str) -> tuple[datetime, bool]:
    """With whether it is a whole day."""
    written = text.strip()
    try:
        try:
            day = date.fromisoformat(written)
        except ValueError:
            # In a query, a plus that was not escaped arrives as a space.
            before, space, after = written.rpartition(" ")
            is_zone = bool(space) and ("T" in before or " " in before)
            found = datetime.fromisoformat(f"{before}+{after}" if is_zone else written)
            aware = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
            return aware, False
        return datetime(day.year, day.month, day.day, tzinfo=UTC), True
    except (ValueError, OverflowError):
        raise _wrong(text, field) from None


def _wrong(text: str, field: str) -> InvalidRequest:
    return InvalidRequest.one(
        field, f"{text[:40]!r} is neither a date nor a time, as 2026-01-31 or 2026-01-31T12:00:00Z"
    )
