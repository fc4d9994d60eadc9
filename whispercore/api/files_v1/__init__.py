"""The API ``files-v1``: seed 002, without the jobs, whose paths it shares with others."""

from __future__ import annotations

from typing import Final

from whispercore.api.files_v1.dialect import FILES_V1
from whispercore.api.files_v1.files import Files
from whispercore.api.files_v1.keys import Keys
from whispercore.api.files_v1.links import Links
from whispercore.api.files_v1.transcriptions import Transcriptions
from whispercore.contract.group import Api

API: Final = Api(
    name="files_v1",
    title="Files v1",
    version="1.0.0",
    dialect=FILES_V1,
    groups=(Files, Transcriptions, Keys, Links),
    prefixes=("/api/v1/files", "/api/v1/keys", "/api/v1/links", "/api/v1/transcriptions"),
    rate_profile="none",
)
