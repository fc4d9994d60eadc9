"""The ``whispercore`` command.

A sub-command is a module that imports next to nothing at its top, so that ``--help`` and completion are quick, and one
line at the end of this one. It raises ``WhispercoreError``; what that prints and which exit code it gives is decided in
``exits``, for all of them.
"""

from __future__ import annotations

import atexit
import gc
from typing import Annotated

import typer

from whispercore_server.cli import audit, backup, db, jobs, keys, models, users
from whispercore_server.cli.bench.command import bench
from whispercore_server.cli.calibrate import calibrate
from whispercore_server.cli.doctor.command import doctor
from whispercore_server.cli.exits import EXIT_CODES, Group
from whispercore_server.cli.export import export
from whispercore_server.cli.listen.command import listen
from whispercore_server.cli.routes import routes
from whispercore_server.cli.search import search
from whispercore_server.cli.serve import serve
from whispercore_server.cli.settings import settings
from whispercore_server.cli.transcribe.command import transcribe
from whispercore_server.cli.upload import upload
from whispercore_server.cli.worker import worker

app = typer.Typer(
    name="whispercore",
    cls=Group,
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: half as long, and what it shows can be copied
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - this answer alone needs it

        typer.echo(f"whispercore {version('whispercore')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Speech to text on this machine: recordings in, transcripts and subtitles out.

    Nothing is sent anywhere, unless --server names another machine. A model is downloaded once, when it is first used.
    """


def main() -> None:
    """Run the command line of this process, and exit."""
    # At the end Python would look for cycles among all that was imported; the kernel frees it sooner.
    atexit.register(gc.freeze)
    app(prog_name="whispercore")


app.command(epilog=EXIT_CODES)(transcribe)
app.command(epilog=EXIT_CODES)(listen)
app.command(epilog=EXIT_CODES)(search)
app.command()(export)
app.command()(upload)
app.add_typer(models.app, name="models")
app.add_typer(jobs.app, name="jobs", short_help="List, follow and end the jobs of a server.")
app.command()(doctor)
app.command()(bench)
app.command()(calibrate)
app.command()(serve)
app.command(short_help="Do the jobs of a server.")(worker)
app.add_typer(backup.app, name="backup")
app.add_typer(db.app, name="db")
app.add_typer(audit.app, name="audit")
app.add_typer(users.app, name="users", short_help="Make, list and change accounts.")
app.add_typer(keys.app, name="keys", short_help="Make, list and revoke API keys; change the master key.")
app.command()(settings)
app.command(short_help="Show what a path of the API leads to.")(routes)
