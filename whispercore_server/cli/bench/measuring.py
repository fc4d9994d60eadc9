"""How fast models are on this machine."""

from __future__ import annotations

import statistics
import time
from importlib.metadata import version
from pathlib import Path

from attrs import frozen

import whispercore
from whispercore.engines.calibration import chosen_threads
from whispercore.engines.engine import InAProcess
from whispercore.engines.pool import EnginePool, Lease
from whispercore.errors import WhispercoreError
from whispercore.machine import peak_memory_bytes
from whispercore.models.store import ModelStore
from whispercore.settings import Settings
from whispercore_server.cli.doctor.findings import Machine


@frozen(kw_only=True)
class Figures:
    """One model with its engine: medians of all rounds, the model being loaded before."""

    model: str
    engine: str
    """With its version."""
    device: str
    threads: int
    load_s: float
    """Until the engine is ready, its process included."""
    real_time_factor: float
    """Seconds of work for a second of the recording: below 1 is faster than speech."""
    first_segment_s: float | None
    """Until the first segment; None where nobody speaks."""
    memory_bytes: int | None
    """The most that the engine's process has had in memory; None where there is none here, or nobody counts it."""


@frozen(kw_only=True)
class Failed:
    """A model that could not be measured."""

    model: str
    error: str


@frozen(kw_only=True)
class Measured:
    """All of it."""

    whispercore: str
    machine: Machine
    recording: str
    duration_s: float | None
    """None where nothing could be measured."""
    rounds: int
    figures: tuple[Figures, ...]
    failed: tuple[Failed, ...]


def measure(recording: Path, models: tuple[str, ...], *, rounds: int, settings: Settings, machine: Machine) -> Measured:
    """Transcribe a recording with each model, one after the other. What fails does not stop the rest.

    Args:
        recording: To be transcribed.
        models: Their names.
        rounds: How often, with each.
        settings: Where the models are.
        machine: This one.

    Raises:
        OSError: The recording cannot be opened.
    """
    figures: list[Figures] = []
    failed: list[Failed] = []
    duration_s: float | None = None
    for name in models:
        try:
            found, duration_s = _measured(recording, name, rounds, settings)
        except WhispercoreError as error:
            failed.append(Failed(model=name, error=str(error)))
        else:
            figures.append(found)
    return Measured(
        whispercore=version("whispercore"),
        machine=machine,
        recording=recording.name,
        duration_s=duration_s,
        rounds=rounds,
        figures=tuple(figures),
        failed=tuple(failed),
    )


def _measured(recording: Path, name: str, rounds: int, settings: Settings) -> tuple[Figures, float]:
    model = ModelStore(settings).get(name)
    with EnginePool() as pool:
        began = time.monotonic()
        threads = chosen_threads(model, settings)
        with pool.lease(model, engine=model.engine, threads=threads, settings=settings) as lease:
            engine = lease.ready().result()
            load_s = time.monotonic() - began
            runs = [_round(recording, name, settings, pool) for _ in range(rounds)]
            factors, firsts, durations = zip(*runs, strict=True)
            heard = [one for one in firsts if one is not None]
            return (
                Figures(
                    model=name,
                    engine=engine.fingerprint.engine,
                    device=engine.fingerprint.device,
                    threads=engine.fingerprint.threads,
                    load_s=round(load_s, 3),
                    real_time_factor=round(statistics.median(factors), 4),
                    first_segment_s=round(statistics.median(heard), 3) if heard else None,
                    memory_bytes=_peak_bytes(lease),
                ),
                durations[0],
            )


def _round(recording: Path, name: str, settings: Settings, pool: EnginePool) -> tuple[float, float | None, float]:
    """Real-time factor, time to the first segment, and length of the sound."""
    began = time.monotonic()
    first_s: float | None = None
    transcription = whispercore.stream(recording, model=name, settings=settings, pool=pool)
    for _ in transcription:
        first_s = first_s if first_s is not None else time.monotonic() - began
    work_s = time.monotonic() - began
    assert transcription.transcript is not None
    duration_s = transcription.transcript.duration_s
    return work_s / duration_s, first_s, duration_s


def _peak_bytes(lease: Lease) -> int | None:
    engine = lease.ready().result()
    pid = engine.pid if isinstance(engine, InAProcess) else None
    return peak_memory_bytes(pid) if pid is not None else None
