"""Which guards look at which requests: decided once for each endpoint."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from aiohttp import web

from tests.plugins.demo_plugin import Notes
from whispercore.api.transcriber.auth import Auth
from whispercore.api.transcriber.health import Health
from whispercore.api.transcriber.jobs import Jobs
from whispercore.contract.endpoint import Operation
from whispercore_server.csrf import CsrfGuard
from whispercore_server.guard import Guard, Moment, looking
from whispercore_server.limiting.guard import RateLimits
from whispercore_server.limiting.profiles import DEFAULT, PROFILES
from whispercore_server.measuring import Measuring
from whispercore_server.screening import ScreeningGuard

MOMENTS: tuple[Moment, ...] = get_args(Moment)
UNUSED: Any = None
"""What guards only need once a request is there."""
GUARDS: dict[str, Guard] = {
    "limits": RateLimits(profile=PROFILES[DEFAULT], counters=UNUSED, quotas=UNUSED, audit=UNUSED, clock=UNUSED),
    "csrf": CsrfGuard(tokens=UNUSED, always=False, origins=(), audit=UNUSED),
    "screening": ScreeningGuard("log", UNUSED),
    "measuring": Measuring(UNUSED, UNUSED),
}


class Early(Guard):
    async def arrived(self, http: web.Request, operation: Operation) -> None:
        """Nothing, but it is asked."""


class OnlyOfJobs(Early):
    def looks(self, moment: Moment, operation: Operation) -> bool:
        return super().looks(moment, operation) and operation is Jobs.create


def test_a_guard_is_asked_at_the_moments_that_it_has_methods_for() -> None:
    first, second = Early(), OnlyOfJobs()
    guards = (first, Guard(), second)
    assert looking(guards, "arrived", Jobs.create) == (first.arrived, second.arrived)
    assert looking(guards, "arrived", Health.live) == (first.arrived,)
    assert [moment for moment in MOMENTS if looking(guards, moment, Jobs.create)] == ["arrived"]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (Health.live, {"taken": ["screening"]}),
        (Jobs.get, {"recognised": ["limits"], "taken": ["screening"]}),
        (
            Jobs.create,
            {"recognised": ["limits"], "admitted": ["csrf"], "taken": ["screening"], "read": ["measuring"]},
        ),
        (Jobs.delete, {"recognised": ["limits"], "admitted": ["csrf"], "taken": ["screening"]}),
        (Auth.login, {"recognised": ["limits"], "admitted": ["csrf"], "taken": ["screening"], "read": ["csrf"]}),
        (Notes.talk, {"recognised": ["limits"], "admitted": ["csrf"], "taken": ["screening"]}),
        (Notes.go, {"recognised": ["limits"], "taken": ["screening"]}),
    ],
    ids=["live", "reading", "a form", "deleting", "logging in", "a channel", "raw"],
)
def test_guards_look_where_they_have_something_to_do(operation: Operation, expected: dict[Moment, list[str]]) -> None:
    found = {moment: [name for name, guard in GUARDS.items() if guard.looks(moment, operation)] for moment in MOMENTS}
    assert {moment: names for moment, names in found.items() if names} == expected


def test_screening_that_is_off_looks_at_nothing() -> None:
    assert not any(ScreeningGuard("off", UNUSED).looks(moment, Jobs.create) for moment in MOMENTS)
