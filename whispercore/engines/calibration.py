"""How a processor is best shared among windows, as it was measured here: by ``engines.calibrating``, and kept.

Nothing is measured unless somebody asks for it. What was measured holds for this machine, models of this shape and this
build of the engine, and for no other.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from attrs import asdict, field, frozen, validators

from whispercore.engines.whispercpp.engine import MAX_THREADS, shared_threads
from whispercore.errors import InvalidOption, ModelDamaged
from whispercore.machine import cores, processor
from whispercore.models import records
from whispercore.models.directory import CALIBRATIONS
from whispercore.models.store import ModelFile
from whispercore.models.verify import ModelInfo, inspect
from whispercore.settings import Settings

ENGINE: Final = "whisper-cpp"
"""The only engine whose slots and threads share one processor."""
_MOST_SLOTS: Final = 8
"""Each takes memory for what it computes."""
_PATIENCE: Final = 1.1
"""How much longer a window by itself may take than at best, so that more of them are through at once."""
_LIBRARIES: Final = (".so", ".dylib", ".dll", ".pyd")


@frozen(kw_only=True)
class Split:
    """A way to share the processor."""

    slots: int
    """Windows at once."""
    threads: int
    """For each of them."""


@frozen(kw_only=True)
class Trial:
    """What a split is good for."""

    slots: int
    threads: int
    alone_s: float
    """How long a window takes when there is no other, in seconds."""
    windows_per_s: float
    """How many are through in a second when all slots are in use."""


@frozen(kw_only=True)
class Subject:
    """What a calibration holds for."""

    machine: str
    model: str
    """Its shape, which is the same for all models of a size."""
    engine: str
    """Its build."""

    @property
    def key(self) -> str:
        """A name for it."""
        return hashlib.sha256("\n".join(asdict(self).values()).encode()).hexdigest()[:32]


@frozen(kw_only=True)
class Calibration:
    """The splits that were tried."""

    subject: Subject
    trials: tuple[Trial, ...] = field(validator=validators.min_len(1))

    @property
    def several(self) -> Trial:
        """The best for several recordings at once: most windows in a second."""
        return max(self.trials, key=lambda one: one.windows_per_s)

    @property
    def single(self) -> Trial:
        """The best for one at a time: of those that are nearly the quickest with one window, most in a second."""
        quickest_s = min(one.alone_s for one in self.trials)
        quick = (one for one in self.trials if one.alone_s <= _PATIENCE * quickest_s)
        return max(quick, key=lambda one: one.windows_per_s)

    def slots(self, threads: int) -> int | None:
        """The best number of slots where each has so many threads; None where that was not tried."""
        tried = [one for one in self.trials if one.threads == threads]
        return max(tried, key=lambda one: one.windows_per_s).slots if tried else None


def splits(n_cores: int) -> tuple[Split, ...]:
    """Those that are worth a trial: as many threads as cores, or twice as many, in few or in many slots.

    Args:
        n_cores: That this process may use.
    """
    shares = sorted({min(max(1, n_cores // part), MAX_THREADS) for part in (1, 2, 4)}, reverse=True)
    found = [Split(slots=1, threads=shares[0])]
    for threads in shares:
        for times in (1, 2):
            slots = min(-(-times * n_cores // threads), _MOST_SLOTS)
            found.append(Split(slots=slots, threads=threads))
    return tuple(dict.fromkeys(found))


def chosen_threads(model: ModelFile, settings: Settings) -> int | None:
    """Threads for each window where a caller does not say; None leaves it to the engine.

    Args:
        model: With its engine.
        settings: What is said there goes before what was measured.
    """
    if settings.threads is not None:
        return settings.threads
    info = model.info if model.engine == ENGINE else None
    found = kept(settings.models_dir, info) if info is not None else None
    if found is not None:
        return (found.several if settings.throughput else found.single).threads
    return shared_threads() if settings.throughput else None


def subject_of(model: ModelInfo) -> Subject | None:
    """What a calibration of this model on this machine would hold for; None where the build is not known."""
    build = _build()
    if build is None:
        return None
    shape = asdict(model)
    del shape["size_bytes"]
    return Subject(
        machine=f"{processor()}, {cores()} cores",
        model=", ".join(f"{name} {value}" for name, value in shape.items()),
        engine=build,
    )


def slots_for(models_dir: Path, model: Path, threads: int) -> int | None:
    """How many windows at once were the best with so many threads each; None where that was not measured.

    Args:
        models_dir: The folder of models.
        model: A file.
        threads: For each window.
    """
    found = None
    if (models_dir / CALIBRATIONS).is_dir():
        with suppress(ModelDamaged):  # whoever loads it will say so
            found = kept(models_dir, inspect(model))
    return found.slots(threads) if found is not None else None


def kept(models_dir: Path, model: ModelInfo) -> Calibration | None:
    """What was measured before; None where nothing was, or it cannot be read.

    Args:
        models_dir: The folder of models.
        model: Of the shape that matters.
    """
    if not (models_dir / CALIBRATIONS).is_dir():
        return None
    subject = subject_of(model)
    if subject is None:
        return None
    found = records.read(_path(models_dir, subject), Calibration)
    return found if found is not None and found.subject == subject else None


def check_place(models_dir: Path) -> None:
    """Ask whether a calibration can be kept, before one is made.

    Args:
        models_dir: The folder of models.

    Raises:
        InvalidOption: The folder cannot be written.
    """
    folder = models_dir / CALIBRATIONS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InvalidOption(
            "WHISPERCORE_MODELS", f"the folder {folder} cannot be written ({error.strerror or error})"
        ) from error


def keep(models_dir: Path, calibration: Calibration) -> Path:
    """Have it used from the next loading of a model on.

    Args:
        models_dir: The folder of models.
        calibration: Instead of an earlier one for the same.

    Raises:
        OSError: It cannot be written.
    """
    path = _path(models_dir, calibration.subject)
    path.parent.mkdir(parents=True, exist_ok=True)
    records.write(path, calibration)
    return path


def _path(models_dir: Path, subject: Subject) -> Path:
    return models_dir / CALIBRATIONS / f"{subject.key}.json"


@cache
def _build() -> str | None:
    """The version of pywhispercpp with the checksum of its libraries: one's own build has the version of the wheel."""
    with suppress(PackageNotFoundError):
        found = distribution("pywhispercpp")
        record = found.read_text("RECORD") or ""
        lines = sorted(line for line in record.splitlines() if any(name in line.lower() for name in _LIBRARIES))
        checksum = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return f"pywhispercpp {found.version} {checksum[:16]}"
    return None
