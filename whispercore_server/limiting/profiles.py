"""Profiles: the figures of rate limits, each with those of one of the documented systems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

if TYPE_CHECKING:  # settings name profiles, and have to be quick to load
    from whispercore.contract.endpoint import Limit

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_UNITS: Final = ((_HOUR_S, "hour"), (_MINUTE_S, "minute"), (1, "second"))


@frozen
class Figure:
    """So many requests in so many seconds."""

    requests: int
    window_s: int

    def __str__(self) -> str:
        """``100 per 5 minutes``."""
        length_s, unit = next(one for one in _UNITS if self.window_s % one[0] == 0)
        count = self.window_s // length_s
        return f"{self.requests} per {unit if count == 1 else f'{count} {unit}s'}"


@frozen
class Budget:
    """Requests that are counted together. All figures have to be kept; the first one is told in headers."""

    name: str
    figures: tuple[Figure, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.figures))


Budgets = Mapping[str, Budget]
"""By the class of an endpoint."""


@frozen(kw_only=True)
class Profile:
    """Budgets by the class of an endpoint. A class without one has no limit."""

    name: str
    about: str
    anonymous: Budgets = field(factory=dict)
    """For callers without credentials, each address for itself."""
    known: Budgets = field(factory=dict)
    """For users, each for himself, with all his keys that have no limit of their own."""

    def budget(self, limit: Limit, *, is_known: bool) -> Budget | None:
        """What a request is counted against."""
        return (self.known if is_known else self.anonymous).get(limit)


CLASSES: Final[tuple[Limit, ...]] = ("auth", "api", "upload", "admin", "general")
"""Classes of endpoints that are limited."""


def _each(**figures: Figure) -> Budgets:
    """Every class counted for itself."""
    return {limit: Budget(limit, (figures[limit],)) for limit in CLASSES}


def _together(*figures: Figure) -> Budgets:
    """All classes counted as one."""
    return dict.fromkeys(CLASSES, Budget("requests", figures))


_BY_CLASS: Final = _each(
    auth=Figure(10, 15 * _MINUTE_S),
    api=Figure(1000, _HOUR_S),
    upload=Figure(100, _HOUR_S),
    admin=Figure(50, 5 * _MINUTE_S),
    general=Figure(100, 5 * _MINUTE_S),
)
_VIDEO: Final = _together(Figure(100, _MINUTE_S), Figure(20, 12))
_WORKFLOW: Final[Budgets] = {
    **_together(Figure(100, _MINUTE_S)),
    "auth": Budget("auth", (Figure(5, _MINUTE_S),)),
    "upload": Budget("upload", (Figure(10, _MINUTE_S),)),
}

DEFAULT: Final = "transcriber-001"
PROFILES: Final[Mapping[str, Profile]] = {
    one.name: one
    for one in (
        Profile(
            name="transcriber-000",
            about="each class of endpoints for itself",
            anonymous=_BY_CLASS,
            known=_BY_CLASS,
        ),
        Profile(
            name=DEFAULT,
            about="by who calls; administration for itself",
            anonymous=_together(Figure(60, _MINUTE_S)),
            known={
                **_together(Figure(300, _MINUTE_S)),
                "admin": Budget("admin", (Figure(100, _MINUTE_S),)),
            },
        ),
        Profile(
            name="video",
            about="all together, at most 20 at once: 20 in 12 seconds are 100 in a minute",
            anonymous=_VIDEO,
            known=_VIDEO,
        ),
        Profile(
            name="workflow",
            about="logging in and sending files for themselves",
            anonymous=_WORKFLOW,
            known=_WORKFLOW,
        ),
        Profile(name="none", about="no limits but those that keys have of their own"),
    )
}
"""All profiles by name."""
