"""The API of OpenAI, as far as it turns speech into text: programs written for it work with this server unchanged."""

from __future__ import annotations

from typing import Final

from whispercore.api.openai.audio import Audio
from whispercore.api.openai.client_secrets import ClientSecrets
from whispercore.api.openai.dialect import OPENAI
from whispercore.api.openai.models import Models
from whispercore.api.openai.realtime import Realtime
from whispercore.contract.group import Api

API: Final = Api(
    name="openai",
    title="OpenAI-compatible",
    version="1.0.0",
    dialect=OPENAI,
    groups=(Audio, Models, Realtime, ClientSecrets),
    prefixes=("/v1/",),
)
