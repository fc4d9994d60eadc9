"""``whispercore worker``."""

from __future__ import annotations

from typing import Annotated

import typer

from whispercore_server.cli.server_options import Config, Data, Without, loaded, needs_server


def worker(
    *,
    data: Data = None,
    slots: Annotated[
        int | None,
        typer.Option(
            "--slots",
            metavar="N",
            min=1,
            max=64,
            help="How many jobs to do at once.",
            show_default="$WHISPERCORE_SLOTS, else 2",
        ),
    ] = None,
    config: Config = None,
    without: Without = None,
) -> None:
    """Do the jobs of a server until Ctrl-C or SIGTERM, without answering requests.

    Any number of workers may share the folder of one server; add --no-worker to that for it to leave all jobs to them.
    What is not done when one stops is given back, and another one goes on with it.
    """
    settings = loaded({"data": data, "slots": slots}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.cli.telling import Teller  # noqa: PLC0415 - as above
        from whispercore_server.exporting import exported_traces  # noqa: PLC0415 - as above
        from whispercore_server.logs import configure  # noqa: PLC0415 - as above
        from whispercore_server.serving import work  # noqa: PLC0415 - as above

    configure(settings)
    with exported_traces():
        asyncio.run(work(settings, Teller(settings), without=without or ()))
