"""The options of ``whispercore doctor``."""

from __future__ import annotations

from typing import Annotated

import typer

from whispercore_server.cli.exits import ExitCode


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False) -> None:
    """Check this installation, and say what would make it faster.

    The engine and the decoder are really run, with the model that comes with this package. Exit code 1: something
    does not work.
    """
    from whispercore_server.cli.doctor.advice import advise  # noqa: PLC0415 - the help does without the library
    from whispercore_server.cli.doctor.collect import collect  # noqa: PLC0415 - as above
    from whispercore_server.cli.doctor.show import as_json as document  # noqa: PLC0415 - as above
    from whispercore_server.cli.doctor.show import show  # noqa: PLC0415 - as above
    from whispercore_server.cli.quiet_console import QuietConsole  # noqa: PLC0415 - as above

    report = collect()
    advice = advise(report)
    if as_json:
        typer.echo(document(report, advice))
    else:
        show(QuietConsole(highlight=False), report, advice)
    if report.problems:
        raise typer.Exit(ExitCode.FAILED)
