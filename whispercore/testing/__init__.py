"""What tests need: the contracts that implementations pass, and stand-ins for an engine and for time.

from whispercore.testing import EngineContract

class TestMine(EngineContract):
@pytest.fixture
def engine(self): return MyEngine(...)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whispercore.testing.blobs_contract import BlobsContract
from whispercore.testing.clock import FakeClock
from whispercore.testing.diarizer_contract import DiarizerContract
from whispercore.testing.engine_contract import EngineContract
from whispercore.testing.events_contract import EventsContract
from whispercore.testing.scripted import ScriptedEngine
from whispercore.testing.scripted_diarizer import ScriptedDiarizer

if TYPE_CHECKING:
    from whispercore.testing.jobs_contract import JobsContract

__all__ = [
    "BlobsContract",
    "DiarizerContract",
    "EngineContract",
    "EventsContract",
    "FakeClock",
    "JobsContract",
    "ScriptedDiarizer",
    "ScriptedEngine",
]


def __getattr__(name: str) -> object:
    if name != "JobsContract":
        raise AttributeError(f"module 'whispercore.testing' has no attribute {name!r}")
    # It needs the database, which those who test an engine need not have.
    from whispercore.testing.jobs_contract import JobsContract  # noqa: PLC0415

    return JobsContract
