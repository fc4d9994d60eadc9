"""``whispercore db``: the tables of an installation, brought from one version to the next."""

from __future__ import annotations

from typing import Annotated

import typer

from whispercore_server.cli.server_options import Config, Data, loaded, needs_server

app = typer.Typer(no_args_is_help=True, help="Upgrade, check and move the database of a server.")

CHECK_EXIT_CODES = """\b
Exit codes:
  0  the database can be used as it is
  1  it cannot be reached, or has to be upgraded first
  2  wrong usage
"""

URL = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        help="The address of the database.",
        show_default="$WHISPERCORE_DATABASE_URL, else PostgreSQL at $POSTGRES_HOST, else SQLite in the data folder",
    ),
]


@app.command()
def upgrade(*, data: Data = None, database_url: URL = None, config: Config = None) -> None:
    """Bring the tables to the newest version; one that is empty gets all of them.

    An SQLite file is copied beside itself before. Of PostgreSQL make a backup, and stop all servers and workers first.
    """
    settings = loaded({"data": data, "database_url": database_url}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.upgrading import upgrade as do  # noqa: PLC0415 - as above

    typer.echo(asyncio.run(do(settings)))


@app.command(epilog=CHECK_EXIT_CODES)
def check(*, data: Data = None, database_url: URL = None, config: Config = None) -> None:
    """Look whether the database can be reached, and whether its tables are of the newest version."""
    settings = loaded({"data": data, "database_url": database_url}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.upgrading import check as do  # noqa: PLC0415 - as above

    typer.echo(asyncio.run(do(settings)))


@app.command()
def move(
    *,
    data: Data = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="URL",
            help="The address of an empty PostgreSQL.",
            show_default="$WHISPERCORE_DATABASE_URL, else PostgreSQL at $POSTGRES_HOST",
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Move an installation from SQLite, in the data folder, to PostgreSQL.

    All rows are put there in one transaction, read again, and compared by count and checksum. The SQLite stays as it
    is. Stop the server and all workers first; recordings and keys stay where they are.
    """
    settings = loaded({"data": data, "database_url": to}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.moving import to_postgres  # noqa: PLC0415 - as above

    moved = asyncio.run(to_postgres(settings))
    for one in moved:
        typer.echo(f"{one.table:<24}{one.rows:>10}  {one.checksum[:16]}")
    typer.echo(f"{sum(one.rows for one in moved)} rows are in PostgreSQL, as they were in SQLite")


@app.command("adopt-recordings")
def adopt_recordings(*, data: Data = None, database_url: URL = None, config: Config = None) -> None:
    """Have the recordings in the bucket, or in the data folder, belong to this database from now on.

    Needed where a start is refused since they are another installation's, and that one is gone for good. What this
    database does not know is removed by the next start, and a server on the other database does not start any more.
    """
    settings = loaded({"data": data, "database_url": database_url}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.adopting import adopt_recordings as do  # noqa: PLC0415 - as above

    asyncio.run(do(settings))
    typer.echo("the recordings belong to this database")


@app.command("adopt-keys")
def adopt_keys(*, data: Data = None, database_url: URL = None, config: Config = None) -> None:
    """Have the audit key and the token key that are here be those of this installation from now on.

    Needed where a start is refused since they are others than before, and those are lost or were changed on purpose.
    After another audit key the trail of events goes on, and says so. After another token key, access tokens of before
    are not believed, and webhooks have other secrets. What has the keys of before does not start any more.
    """
    settings = loaded({"data": data, "database_url": database_url}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.adopting import adopt_keys as do  # noqa: PLC0415 - as above

    asyncio.run(do(settings))
    typer.echo("the audit key and the token key that are here are those of this installation")
