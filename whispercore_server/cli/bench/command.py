"""The options of ``whispercore bench``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whispercore_server.cli.exits import ExitCode

if TYPE_CHECKING:
    from whispercore_server.cli.bench.measuring import Measured


def bench(
    recording: Annotated[
        Path,
        typer.Argument(
            metavar="RECORDING",
            help="A recording of the kind that you have.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ],
    *,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--model",
            metavar="MODEL",
            help="A model, or ENGINE:MODEL; several are compared.",
            show_default="$WHISPERCORE_MODEL, else small",
        ),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", min=1, max=100, help="How often, with each.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write JSON there.")] = None,
    picture: Annotated[Path | None, typer.Option("--picture", metavar="FILE", help="Draw it there, as SVG.")] = None,
) -> None:
    """Measure how fast models are on this machine.

    Real-time factor, time to the first segment and memory, as medians of some rounds, the model being loaded before.
    Exit code 1: a model could not be measured.
    """
    from whispercore.settings import Settings  # noqa: PLC0415 - the help does without the library
    from whispercore_server.cli.bench.measuring import measure  # noqa: PLC0415 - as above
    from whispercore_server.cli.bench.picture import svg, told  # noqa: PLC0415 - as above
    from whispercore_server.cli.doctor.machine import look  # noqa: PLC0415 - as above

    for path in (output, picture):
        if path is not None and not path.parent.is_dir():
            raise typer.BadParameter(f"there is no folder {path.parent}")
    settings = Settings.from_environment()
    measured = measure(
        recording, tuple(models or (settings.default_model,)), rounds=rounds, settings=settings, machine=look()
    )
    document = _json(measured)
    if as_json:
        typer.echo(document)
    else:
        for one in measured.figures:
            typer.echo(f"{one.model}: {told(one)}, loaded in {one.load_s:.2f} s ({one.engine})")
    if output is not None:
        output.write_text(document + "\n", encoding="utf-8")
    if picture is not None:
        picture.write_text(svg(measured), encoding="utf-8")
    for failed in measured.failed:
        typer.echo(f"error: {failed.model}: {failed.error}", err=True)
    if measured.failed:
        raise typer.Exit(ExitCode.FAILED)


def _json(measured: Measured) -> str:
    from attrs import asdict  # noqa: PLC0415 - as above

    return json.dumps(asdict(measured), indent=2)
