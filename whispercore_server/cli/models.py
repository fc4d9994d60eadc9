"""``whispercore models``: what is here, what can be had, and how to get, register, shrink and delete it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from whispercore.models.listing import StoredModel
    from whispercore.models.store import ModelStore
    from whispercore.models.voices import VoiceModels

app = typer.Typer(no_args_is_help=True, help="List, download, register, shrink and delete models.")

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a model.")]
_STATES = {
    "bundled": "green",
    "downloaded": "green",
    "added": "cyan",
    "remote": "cyan",
    "damaged": "red",
    "available": "dim",
}


@app.command("list")
def list_models(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False) -> None:
    """Show every model: on this machine, or to be downloaded."""
    models = (*_store().list(), *_voices().list())
    if as_json:
        typer.echo(json.dumps([_plain(model) for model in models], indent=2))
    else:
        from whispercore_server.cli.quiet_console import QuietConsole  # noqa: PLC0415 - rich, for those who print

        QuietConsole().print(_table(models))


@app.command()
def pull(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="The names of published models.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Download it again even if it is here.")] = False,
) -> None:
    """Download models. One that was broken off goes on where it stopped."""
    from whispercore_server.cli.bars import download_bar  # noqa: PLC0415 - rich, for those who print
    from whispercore_server.cli.terminal import Screen  # noqa: PLC0415 - as above

    store, voices, screen = _store(), _voices(), Screen(bars=True)
    for name in names:
        with download_bar(name, screen.console) as on_progress:
            if name in voices:
                path = voices.pull(name, on_progress=on_progress, force=force)
            else:
                path = store.pull(name, on_progress=on_progress, force=force).path
        typer.echo(f"{name}: {path}")


@app.command()
def add(
    name: _Name,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A model file in the ggml format of whisper.cpp, or a folder of CTranslate2."
        ),
    ],
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a model that has this name already.")] = False,
) -> None:
    """Copy a model of your own into the store, under a name; or one that tells voices apart, under its own."""
    voices = _voices()
    path = voices.add(name, file) if name in voices else _store().add(name, file, replace=replace).path
    typer.echo(f"{name}: {path}")


@app.command(short_help="Make a smaller copy of a model.")
def quantize(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The name of a model, or a file.")],
    *,
    to: Annotated[
        str, typer.Option("--to", metavar="KIND", help="q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k or q6_k.")
    ],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The name of the copy.", show_default="MODEL-KIND")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a model that has this name already.")] = False,
) -> None:
    """Put a copy of a model of whisper.cpp into the store whose weights have fewer bits."""
    from whispercore_server.cli.bars import download_bar  # noqa: PLC0415 - rich, for those who print
    from whispercore_server.cli.terminal import Screen  # noqa: PLC0415 - as above

    with download_bar(model, Screen(bars=True).console) as on_progress:
        made = _store().quantize(model, to, name=name, replace=replace, on_progress=on_progress)
    typer.echo(f"{made.name}: {made.path}, {made.size_bytes / 1e6:,.0f} MB")


@app.command(short_help="Delete a model.")
def rm(name: _Name) -> None:
    """Delete a model, or what there is of a download that was broken off."""
    voices = _voices()
    (voices if name in voices else _store()).remove(name)
    typer.echo(f"{name} is deleted")


@app.command(short_help="Compare a model with its checksum.")
def verify(name: _Name) -> None:
    """Read a model from end to end and compare it with its recorded checksum."""
    voices = _voices()
    sha256 = voices.verify(name) if name in voices else _store().verify(name).sha256
    typer.echo(f"{name}: whole, SHA-256 {sha256}")


def _store() -> ModelStore:
    from whispercore.models.store import ModelStore  # noqa: PLC0415 - the help does without it
    from whispercore.settings import Settings  # noqa: PLC0415 - as above

    return ModelStore(Settings.from_environment())


def _voices() -> VoiceModels:
    from whispercore.models.voices import VoiceModels  # noqa: PLC0415 - the help does without it
    from whispercore.settings import Settings  # noqa: PLC0415 - as above

    return VoiceModels(Settings.from_environment())


def _plain(model: StoredModel) -> dict[str, str | int | None]:
    return {
        "name": model.name,
        "size_bytes": model.size_bytes,
        "languages": model.languages,
        "state": model.state,
        "path": None if model.path is None else str(model.path),
        "note": model.note,
    }


def _table(models: tuple[StoredModel, ...]) -> Table:
    from rich.table import Table  # noqa: PLC0415 - for those who print

    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("languages", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("note")
    for model in models:
        size = f"{model.size_bytes / 1e6:,.0f} MB"
        state = f"[{_STATES[model.state]}]{model.state}[/]"
        table.add_row(model.name, size, model.languages or "", state, model.note)
    return table
