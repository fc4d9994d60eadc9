"""Whether the server lives and can work, for whatever watches it."""

from __future__ import annotations

from datetime import datetime
from typing import Generic

from attrs import frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Endpoint
from whispercore.contract.group import T_co


@frozen(kw_only=True)
class Probe:
    """A look from outside."""


@frozen(kw_only=True)
class Alive:
    """The process answers."""

    alive: bool
    timestamp: datetime


@frozen(kw_only=True)
class Checks:
    """What was looked at: ``healthy``, or what is wrong."""

    database: str
    storage: str
    worker: str


@frozen(kw_only=True)
class Ready:
    """It can take work."""

    ready: bool
    checks: Checks
    timestamp: datetime


class Health(TranscriberGroup[T_co], Generic[T_co]):
    """Probes."""

    tag = "health"
    live = Endpoint(
        "GET", "/live", Probe, Alive, scope=None, limit="none", doc="Whether the process answers.", envelope=False
    )
    ready = Endpoint(
        "GET",
        "/ready",
        Probe,
        Ready,
        scope=None,
        limit="none",
        envelope=False,
        also=(503,),
        doc="Whether it can take work: database, storage and worker are looked at. If not, the status is 503.",
    )
