"""``whispercore serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from whispercore_server.cli.server_options import Config, Data, Without, loaded, needs_server


def serve(
    *,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="HOST",
            help="The address to listen on; 0.0.0.0 for every network.",
            show_default="$WHISPERCORE_HOST, else 127.0.0.1",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="PORT",
            min=0,
            max=65535,
            help="The port to listen on; 0 for any free one.",
            show_default="$WHISPERCORE_PORT, else 8000",
        ),
    ] = None,
    data: Data = None,
    config: Config = None,
    without: Without = None,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Only answer requests; `whispercore worker` does the jobs.")
    ] = False,
) -> None:
    """Run the server until Ctrl-C or SIGTERM.

    All its state is in one folder, which one server at a time may use. On the first start an administrator is made:
    with the API key in WHISPERCORE_ADMIN_KEY, or with a new one that is shown once.
    """
    settings = loaded({"host": host, "port": port, "data": data}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.cli.telling import Teller  # noqa: PLC0415 - as above
        from whispercore_server.exporting import exported_traces  # noqa: PLC0415 - as above
        from whispercore_server.logs import configure  # noqa: PLC0415 - as above
        from whispercore_server.serving import serve as run  # noqa: PLC0415 - as above

    configure(settings)
    with exported_traces():
        asyncio.run(run(settings, Teller(settings), without=without or (), worker=not no_worker))
