"""The answers of the API ``openai``, and the jobs behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from whispercore.api.openai import API
from whispercore.jobs.worker import Handler
from whispercore.tasks.answers import KIND
from whispercore_server.plugin import Plugin
from whispercore_server.plugins.openai.audio import AudioHandlers
from whispercore_server.plugins.openai.client_secrets import ClientSecretsHandlers
from whispercore_server.plugins.openai.models import ModelsHandlers
from whispercore_server.plugins.openai.realtime import RealtimeHandlers
from whispercore_server.plugins.transcriber import transcribing
from whispercore_server.ports import Ports


def _handlers(ports: Ports) -> Sequence[object]:
    return (AudioHandlers(ports), ModelsHandlers(ports), RealtimeHandlers(ports), ClientSecretsHandlers(ports))


def _job_kinds(ports: Ports) -> Mapping[str, Handler]:
    return {KIND: transcribing(ports)}


PLUGIN: Final = Plugin(name="openai", apis=(API,), handlers=_handlers, job_kinds=_job_kinds)
