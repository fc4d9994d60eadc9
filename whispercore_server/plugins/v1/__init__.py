"""The answers on paths that several documented APIs share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from whispercore.api.v1 import API
from whispercore_server.plugin import Plugin
from whispercore_server.plugins.v1.jobs import JobsHandlers
from whispercore_server.ports import Ports


def _handlers(ports: Ports) -> Sequence[object]:
    return (JobsHandlers(ports),)


PLUGIN: Final = Plugin(name="v1", apis=(API,), handlers=_handlers)
