"""Paths that the documented APIs share (seeds 002, 003 and 004); what they answer does not depend on which are on."""

from __future__ import annotations

from typing import Final

from whispercore.api.v1.dialect import SHARED_V1
from whispercore.api.v1.jobs import Jobs
from whispercore.contract.group import Api

API: Final = Api(
    name="v1",
    title="Shared v1",
    version="1.0.0",
    dialect=SHARED_V1,
    groups=(Jobs,),
    prefixes=("/api/v1/",),
    rate_profile="none",
)
