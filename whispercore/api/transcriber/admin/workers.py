"""The workers, and how they are."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal

from attrs import frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Endpoint
from whispercore.contract.group import T_co


@frozen(kw_only=True)
class AskWorkers:
    """A question for the workers."""


@frozen(kw_only=True)
class WorkerState:
    """A worker."""

    id: str
    host: str
    process_id: int
    status: Literal["alive", "silent"]
    """``silent``: it was not heard of for 15 seconds, so it has died or cannot reach the database."""
    slots: int
    """How many jobs it does at once."""
    kinds: list[str]
    """The kinds of jobs that it knows."""
    jobs: list[str]
    """Ids of those that it holds."""
    models: list[str]
    """Those that it has loaded; their jobs go first, within bounds."""
    started_at: datetime
    last_heartbeat_at: datetime


@frozen(kw_only=True)
class AllWorkers:
    """All workers; one that has ended in order is none any more."""

    workers: list[WorkerState]
    total: int
    alive: int
    slots: int
    """Of those that are alive."""
    busy: int
    """How many jobs are held."""


class Workers(TranscriberGroup[T_co], Generic[T_co]):
    """The workers, and how they are."""

    tag = "workers"
    all = Endpoint(
        "GET",
        "/admin/workers",
        AskWorkers,
        AllWorkers,
        scope="admin",
        limit="admin",
        doc="All workers, on whichever machine.",
    )
