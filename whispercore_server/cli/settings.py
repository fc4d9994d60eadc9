"""``whispercore settings``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from whispercore_server.cli.server_options import Config, loaded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from whispercore.setting import Value


def settings(*, config: Config = None) -> None:
    """Show all settings, and where each value comes from.

    A value is the default unless the file has another one; the environment goes before the file, and the options of a
    command before both. Of secrets, only whether they are set is shown.
    """
    from whispercore_server.cli.terminal import printable  # noqa: PLC0415 - rich, for those who print

    found = loaded({}, config)
    if found.config is not None:
        typer.echo(f"file: {printable(str(found.config))}\n")
    for line in _lines(found.values):
        typer.echo(printable(line))


def _lines(values: tuple[Value, ...]) -> Iterator[str]:
    """One for each, with what may be long at its end, where it breaks no column."""
    rows = [
        ("setting", "source", "variable", "value"),
        *((value.name, value.source, value.variable, value.shown) for value in values),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for *short, value in rows:
        cells = [cell.ljust(width) for cell, width in zip(short, widths, strict=True)]
        yield "  ".join([*cells, value])
