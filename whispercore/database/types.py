"""How times are kept: whole microseconds since 1970, which sort and compare alike in every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Dialect
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """An aware ``datetime`` in Python; an integer in the database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """To the database.

        Raises:
            TypeError: The time has no zone, so nobody can say when it is.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"{value!r} has no time zone")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """From the database, in UTC."""
        return None if value is None else moment(value)


def moment(value: int) -> datetime:
    """The time, in UTC, that is kept as this number."""
    return _EPOCH + timedelta(microseconds=value)
