"""Figures for Prometheus."""

from __future__ import annotations

from typing import Generic

from attrs import frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Download
from whispercore.contract.group import T_co
from whispercore.errors import NotFound


@frozen(kw_only=True)
class Scrape:
    """A question for all figures."""


class Metrics(TranscriberGroup[T_co], Generic[T_co]):
    """Figures for Prometheus."""

    tag = "metrics"
    scrape = Download(
        "GET",
        "/metrics",
        Scrape,
        scope=None,
        limit="none",
        media_types=("text/plain",),
        errors=(NotFound,),
        doc="All figures as text for Prometheus. Everybody may read them; the setting `metrics` closes it.",
    )
