"""The answers of the API ``files-v1``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from whispercore.api.files_v1 import API
from whispercore_server.plugin import Plugin
from whispercore_server.plugins.files_v1.files import FilesHandlers
from whispercore_server.plugins.files_v1.keys import KeysHandlers
from whispercore_server.plugins.files_v1.links import LinksHandlers
from whispercore_server.plugins.files_v1.transcriptions import TranscriptionsHandlers
from whispercore_server.ports import Ports


def _handlers(ports: Ports) -> Sequence[object]:
    return (FilesHandlers(ports), TranscriptionsHandlers(ports), KeysHandlers(ports), LinksHandlers(ports))


PLUGIN: Final = Plugin(name="files_v1", apis=(API,), handlers=_handlers)
