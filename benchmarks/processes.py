"""Processes that stay alive between rounds, and what processes cost: processor time and memory."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

import psutil
from attrs import define, field

_P = ParamSpec("_P")
_T = TypeVar("_T")
_SAMPLE_S = 0.05
_LOOK_AGAIN = 4
"""Children are looked for in every fourth sample: finding them costs more than measuring them."""
KINDS = {"whispercore.audio.child": "decoder", "whispercore.engines.whispercpp.child": "engine"}
_REAPED_S = 0.3


class Side:
    """One side of a comparison: a fresh process that computes what it is given, one call after the other.

    So nothing of one side's libraries and settings reaches the other's.
    """

    def __init__(self) -> None:
        self._executor = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_be_quiet)
        self.pid = self.call(os.getpid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown()

    def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The result of a function of a module, computed over there."""
        return self._executor.submit(function, *args, **kwargs).result()

    def cpu_s(self) -> float:
        """Processor time so far, of the process and of all its children, those that ended too."""
        time.sleep(_REAPED_S)  # a child that was just ended counts once its parent has seen its end
        return sum(_cpu_s(process, ended=True) for process in family(self.pid))


@define
class Peak:
    """The most memory that a family of processes had at one moment, and how it was shared out then."""

    total_mb: float = 0.0
    parts_mb: dict[str, float] = field(factory=dict)
    """By kind of process: ``caller``, ``engine``, ``decoder``."""
    samples: int = 0
    without_engine_mb: float = 0.0
    """The most that all but the engine had."""

    def add(self, parts_mb: dict[str, float]) -> None:
        """Count one sample."""
        self.samples += 1
        total_mb = sum(parts_mb.values())
        self.without_engine_mb = max(self.without_engine_mb, total_mb - parts_mb.get("engine", 0.0))
        if total_mb > self.total_mb:
            self.total_mb, self.parts_mb = total_mb, parts_mb


@contextmanager
def peak_memory(*pids: int) -> Iterator[Peak]:
    """Measures these processes and their children while the block runs."""
    peak = Peak()
    stop = threading.Event()

    def watch() -> None:
        processes: list[tuple[psutil.Process, str]] = []
        round_number = 0
        while not stop.is_set():
            if round_number % _LOOK_AGAIN == 0:
                processes = [(process, _kind(process)) for pid in pids for process in family(pid)]
            round_number += 1
            parts_mb: dict[str, float] = {}
            for process, kind in processes:
                parts_mb[kind] = parts_mb.get(kind, 0.0) + memory_mb(process)
            peak.add(parts_mb)
            stop.wait(_SAMPLE_S)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def memory_mb(process: psutil.Process) -> float:
    """Proportional set size: pages that several processes share are divided among them. Elsewhere than on Linux RSS."""
    try:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024 / 1e6
    except ProcessLookupError:
        return 0.0
    except OSError:
        pass
    with suppress(psutil.Error):
        return float(process.memory_info().rss) / 1e6
    return 0.0


def busy_cores(seconds: float) -> float:
    """How many cores of the machine were busy in the next seconds, with whatever."""
    return float(psutil.cpu_percent(interval=seconds)) / 100 * (psutil.cpu_count() or 1)


def family(pid: int) -> list[psutil.Process]:
    """A process and all its descendants; none when it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def engine_child(pid: int) -> psutil.Process | None:
    """The engine's child below a process."""
    return next((process for process in family(pid) if _kind(process) == "engine"), None)


def busy_s(process: psutil.Process) -> float | None:
    """Processor time of one process so far; None when it is gone."""
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else _cpu_s(process, ended=False)
    except psutil.NoSuchProcess:
        return None


def _cpu_s(process: psutil.Process, *, ended: bool) -> float:
    times = process.cpu_times()
    own = float(times.user + times.system)
    return own + float(times.children_user + times.children_system) if ended else own


def _kind(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        words = process.cmdline()
        for module, kind in KINDS.items():
            if module in words:
                return kind
    return "caller"


def _be_quiet() -> None:
    """whisper.cpp prints a page for every model that it loads."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)
