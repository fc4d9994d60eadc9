"""``whispercore backup``: copies of a whole installation, and installations made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whispercore_server.cli.server_options import Config, Data, loaded, needs_server

if TYPE_CHECKING:
    from whispercore.backup.reading import Contents
    from whispercore.backup.record import Record

app = typer.Typer(no_args_is_help=True, help="Make, list, check and restore backups of a server's data.")

_Archive = Annotated[Path, typer.Argument(metavar="FILE", help="The archive of a backup.")]
_Folder = Annotated[
    Path | None,
    typer.Option(
        "--to",
        metavar="DIR",
        help="The folder of the archives, best on another disk.",
        show_default="$WHISPERCORE_BACKUPS, else backups in the data folder",
    ),
]


@app.command()
def create(*, data: Data = None, to: _Folder = None, config: Config = None) -> None:
    """Make a backup of database and recordings, while the server works or when it does not.

    Who has the archive has all recordings and transcripts, and the hashes of passwords.
    """
    settings = loaded({"data": data, "backups_dir": to}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.backing_up import make  # noqa: PLC0415 - as above

    record = asyncio.run(make(settings))
    typer.echo(settings.backups_dir / f"{record.id}.tar")
    if record.damaged:
        from whispercore_server.cli.terminal import complain  # noqa: PLC0415 - for warnings only

        complain("warning", f"{record.damaged} parts of recordings were damaged or missing before")


@app.command("list")
def list_backups(*, data: Data = None, to: _Folder = None, config: Config = None) -> None:
    """Show the backups in the folder, the newest first."""
    settings = loaded({"data": data, "backups_dir": to}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.backing_up import known  # noqa: PLC0415 - as above

    for record in asyncio.run(known(settings)):
        typer.echo(_line(record))


@app.command()
def verify(archive: _Archive) -> None:
    """Read a backup from end to end, and compare all of it with what was written."""
    with needs_server():
        from whispercore.backup.reading import Reading  # noqa: PLC0415 - the help does without it

    contents = Reading(path=_there(archive)).read()
    typer.echo(f"whole, SHA-256 {contents.sha256}")
    _tell(contents)


@app.command()
def restore(archive: _Archive, *, data: Data = None, config: Config = None) -> None:
    """Make an installation of a backup, in a folder that has none.

    It is there whole at the end, or nothing of it is. Restore only what you trust: an archive brings its own users.
    """
    settings = loaded({"data": data}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.backing_up import missing_master_key  # noqa: PLC0415 - as above
        from whispercore_server.backing_up import restore as run  # noqa: PLC0415 - as above

    contents = run(settings, _there(archive))
    typer.echo(settings.data)
    _tell(contents)
    if (needed := asyncio.run(missing_master_key(settings))) is not None:
        from whispercore_server.cli.terminal import complain  # noqa: PLC0415 - for warnings only

        complain(
            "warning",
            f"the master key is in no backup: before the first start, put that of {needed} into "
            f"{settings.master_key_file}, or set WHISPERCORE_MASTER_KEY to it",
        )


def _there(archive: Path) -> Path:
    from whispercore.errors import InvalidOption  # noqa: PLC0415 - for errors only

    if not archive.is_file():
        raise InvalidOption("FILE", f"there is no file {archive}")
    return archive


def _tell(contents: Contents) -> None:
    manifest = contents.manifest
    typer.echo(
        f"of {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC, {manifest.files} recordings, "
        f"{manifest.rows.get('jobs', 0)} jobs, {manifest.rows.get('users', 0)} users",
    )
    if contents.damaged:
        from whispercore_server.cli.terminal import complain  # noqa: PLC0415 - for warnings only

        for member in contents.damaged:
            complain("warning", f"{member.name}: {member.damaged}")


def _line(record: Record) -> str:
    size = f"{record.size_bytes / 1e6:,.1f} MB" if record.size_bytes is not None else record.error or ""
    return f"{record.id}  {record.created_at:%Y-%m-%d %H:%M:%S}  {record.status:<9}  {size}"
