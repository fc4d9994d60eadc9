"""``whispercore calibrate``: how the processor is best shared among windows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from whispercore.engines.calibration import Trial
    from whispercore.engines.engine import Window

_WINDOWS: Final = 4
"""Of a long recording its first ones will do."""


def calibrate(
    recording: Annotated[
        Path,
        typer.Argument(
            metavar="RECORDING",
            help="A recording of the kind that you have; a minute or two will do.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ],
    *,
    model: Annotated[
        str | None,
        typer.Option("-m", "--model", metavar="MODEL", help="A model.", show_default="$WHISPERCORE_MODEL, else small"),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", min=1, max=20, help="More are slower and surer.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Find out how many windows at once, with how many threads each, are best on this machine, and keep it.

    A few splits of the processor are tried with some windows of the recording; the machine should do nothing else. The
    result is used from the next loading on, for all models of this size, where no number of threads is set.
    """
    from whispercore.engines.calibrating import calibrate as measured  # noqa: PLC0415 - the help does without it
    from whispercore.engines.calibration import check_place, keep  # noqa: PLC0415 - as above
    from whispercore.models.store import ModelStore  # noqa: PLC0415 - as above
    from whispercore.settings import Settings  # noqa: PLC0415 - as above

    settings = Settings.from_environment()
    found = ModelStore(settings).get(model or settings.default_model)
    check_place(settings.models_dir)
    windows = _windows(recording, found.window_s)
    calibration = measured(found, windows, rounds=rounds, on_trial=None if as_json else _tell)
    path = keep(settings.models_dir, calibration)
    if as_json:
        import json  # noqa: PLC0415 - as above

        from attrs import asdict  # noqa: PLC0415 - as above

        best = {"single": asdict(calibration.single), "several": asdict(calibration.several)}
        typer.echo(json.dumps({**asdict(calibration), **best, "path": str(path)}, indent=2))
        return
    for label, trial in (("one recording at a time", calibration.single), ("several at once", calibration.several)):
        typer.echo(f"best for {label}: {_named(trial)}")
    typer.echo(f"kept in {path}")


def _windows(recording: Path, window_s: float) -> Iterator[Window]:
    from itertools import islice  # noqa: PLC0415 - as above

    from whispercore.audio.decoder import Decoder  # noqa: PLC0415 - as above
    from whispercore.audio.vad import Vad  # noqa: PLC0415 - as above

    with Decoder(recording, vad=Vad()) as decoder:
        yield from islice(decoder.windows(window_s), _WINDOWS)


def _tell(trial: Trial) -> None:
    typer.echo(f"{_named(trial)}: {trial.windows_per_s:.2f} windows a second, one by itself {trial.alone_s:.2f} s")


def _named(trial: Trial) -> str:
    return f"{trial.slots} at once with {trial.threads} {'thread' if trial.threads == 1 else 'threads'} each"
