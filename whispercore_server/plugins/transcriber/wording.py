"""Durations and shares in the words of seeds 000 and 001, for people; their numeric twins stand beside them."""

from __future__ import annotations

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_PLURALS = ((3_600, "hours"), (60, "minutes"), (1, "seconds"))


def duration(seconds: float) -> str:
    """``2m 30s``; ``0s`` for less than a second."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return " ".join(part for part in parts if not part.startswith("0") or len(parts) == 1)


def uptime(seconds: float) -> str:
    """``5d 12h 30m``, in whole minutes."""
    return "0m" if seconds < 60 else duration(seconds // 60 * 60)


def percent(share: float) -> str:
    """``45%``."""
    return f"{round(share)}%"


def estimate(low_s: float, high_s: float) -> str:
    """``2-5 minutes``: a span in the unit that fits its upper end."""
    size, unit = next(((size, unit) for size, unit in _PLURALS if high_s >= 1.5 * size), _PLURALS[-1])
    low, high = max(1, round(low_s / size)), max(1, round(high_s / size))
    return f"{low}-{high} {unit}" if low < high else f"{high} {unit if high > 1 else unit[:-1]}"
