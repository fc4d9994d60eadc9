"""The figures of the documents."""

from __future__ import annotations

from typing import get_args

import pytest

from whispercore.contract.endpoint import Limit
from whispercore_server.limiting.profiles import CLASSES, DEFAULT, PROFILES, Figure, Profile

FIGURES = {
    "transcriber-000": {
        "auth": ("10 per 15 minutes",) * 2,
        "api": ("1000 per hour",) * 2,
        "upload": ("100 per hour",) * 2,
        "admin": ("50 per 5 minutes",) * 2,
        "general": ("100 per 5 minutes",) * 2,
    },
    "transcriber-001": {
        "auth": ("60 per minute", "300 per minute"),
        "api": ("60 per minute", "300 per minute"),
        "upload": ("60 per minute", "300 per minute"),
        "admin": ("60 per minute", "100 per minute"),
        "general": ("60 per minute", "300 per minute"),
    },
    "video": dict.fromkeys(CLASSES, ("100 per minute, 20 per 12 seconds",) * 2),
    "workflow": {
        **dict.fromkeys(CLASSES, ("100 per minute",) * 2),
        "auth": ("5 per minute",) * 2,
        "upload": ("10 per minute",) * 2,
    },
    "none": dict.fromkeys(CLASSES, ("None",) * 2),
}


def test_every_class_is_limited_but_none() -> None:
    assert (*CLASSES, "parts", "none") == get_args(Limit)
    assert set(FIGURES) == set(PROFILES)
    assert DEFAULT == "transcriber-001"


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda one: one.name)
def test_a_profile_has_the_figures_of_its_document(profile: Profile) -> None:
    told = {
        limit: (str(profile.budget(limit, is_known=False)), str(profile.budget(limit, is_known=True)))
        for limit in CLASSES
    }
    assert told == FIGURES[profile.name]


def test_a_figure_is_told_in_the_largest_unit() -> None:
    assert [str(Figure(1, seconds)) for seconds in (1, 12, 60, 900, 3600, 5400)] == [
        "1 per second",
        "1 per 12 seconds",
        "1 per minute",
        "1 per 15 minutes",
        "1 per hour",
        "1 per 90 minutes",
    ]
