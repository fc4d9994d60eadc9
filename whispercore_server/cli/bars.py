"""Progress bars. They are drawn by rich, which is loaded only where there is a terminal to draw on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from whispercore_server.cli.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, TaskID, TextColumn

    from whispercore.models.pace import OnProgress
    from whispercore.progress import Progress as Done

_LONGEST_NAME = 32
_MINUTE_S = 60


@contextmanager
def download_bar(name: str, console: Console | None) -> Iterator[OnProgress | None]:
    """A bar for the download of a model, from the first bytes on.

    Args:
        name: The model.
        console: Where it is drawn; None for no bar.

    Yields:
        What the download calls.
    """
    if console is None:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn  # noqa: PLC0415 - see the top

    columns = (_name_column(), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    progress = _progress(console, *columns)
    task = progress.add_task(_short(name), total=None)

    def on_progress(done_bytes: int, total_bytes: int | None) -> None:
        progress.start()
        progress.update(task, completed=done_bytes, total=total_bytes)

    try:
        yield on_progress
    finally:
        progress.stop()


class Bar:
    """The bar of one transcription: drawn while it runs."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._name = _short(name)
        self._task: TaskID | None = None

    def show(self, done: Done) -> None:
        """Draw how far it is. For the thread that transcribes."""
        self.draw(_note(done), done.fraction if done.stage == "transcribing" else None)

    def draw(self, note: str, fraction: float | None) -> None:
        """Draw a share of the whole, from 0 to 1; None when it cannot be known."""
        if self._task is None:
            self._task = self._progress.add_task(self._name, total=None, note="")
        total = None if fraction is None else 1.0
        self._progress.update(self._task, total=total, completed=fraction or 0.0, note=note)

    def remove(self) -> None:
        """It is over."""
        if self._task is not None:
            self._progress.remove_task(self._task)


class Bars:
    """The bars of the transcriptions that are running, at the bottom of the terminal inside a ``with``.

    Args:
        console: Where they are drawn; None for no bars.
    """

    def __init__(self, console: Console | None) -> None:
        self._progress = _noted_bars(console) if console is not None else None

    def bar(self, name: str) -> Bar | None:
        """A bar for one recording."""
        return Bar(self._progress, name) if self._progress is not None else None

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()


def _noted_bars(console: Console) -> Progress:
    from rich.progress import BarColumn, TextColumn  # noqa: PLC0415 - see the top

    return _progress(console, _name_column(), BarColumn(), TextColumn("{task.fields[note]}", markup=False))


def _progress(console: Console, *columns: ProgressColumn) -> Progress:
    from rich.progress import Progress  # noqa: PLC0415 - see the top

    # rich would catch what is written to stdout and draw it on the console of the bars, which may be stderr's.
    return Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)


def _name_column() -> TextColumn:
    from rich.progress import TextColumn  # noqa: PLC0415 - see the top
    from rich.table import Column  # noqa: PLC0415 - see the top

    return TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))


def _short(name: str) -> str:
    shown = printable(name)
    return shown if len(shown) <= _LONGEST_NAME else f"…{shown[1 - _LONGEST_NAME :]}"


def _note(done: Done) -> str:
    if done.stage != "transcribing":
        return done.stage
    if done.fraction is None:
        return f"{clock(done.done_s)} done"
    left = f", {clock(done.eta_s)} left" if done.eta_s is not None else ""
    return f"{done.fraction:.0%}{left}"


def clock(seconds: float) -> str:
    """Minutes and seconds, and hours where there are any."""
    minutes, s = divmod(round(seconds), _MINUTE_S)
    h, m = divmod(minutes, _MINUTE_S)
    return f"{h}:{m:02}:{s:02}" if h else f"{m}:{s:02}"
