"""Answers of ``api.transcriber.metrics``."""

from __future__ import annotations

from attrs import define

from whispercore.api.transcriber.metrics import Metrics, Scrape
from whispercore.contract.messages import Content
from whispercore.errors import NotFound
from whispercore.measures.exposition import MEDIA_TYPE
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports


@define
class MetricsHandlers:
    """Tells Prometheus."""

    ports: Ports

    @serves(Metrics.scrape)
    async def scrape(self, request: Scrape, caller: Caller) -> Content:
        """As if it were not there, where it is closed."""
        del request, caller
        if not self.ports.settings.metrics:
            raise NotFound("route", Metrics.scrape.path)
        text = await self.ports.measures.exposed()
        return Content(body=text, media_type=MEDIA_TYPE, filename="metrics.txt", inline=True)
