"""``whispercore audit``: the audit trail, looked at from the machine itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whispercore_server.cli.server_options import Config, Data, loaded, needs_server

if TYPE_CHECKING:
    from whispercore.audit.event import EventType
    from whispercore.audit.records import Record
    from whispercore.audit.verify import Verified

app = typer.Typer(no_args_is_help=True, help="Verify, show and prune the audit trail of a server.")

VERIFY_EXIT_CODES = """\b
Exit codes:
  0  nothing was changed, and nothing is missing
  1  something was, or the trail says that something was before; or it cannot be read
  2  wrong usage
"""


@app.command(epilog=VERIFY_EXIT_CODES)
def verify(
    *,
    data: Data = None,
    head: Annotated[
        Path | None,
        typer.Option(
            "--head",
            metavar="FILE",
            help="Compare with what `whispercore audit head` has shown earlier, and was kept elsewhere.",
            show_default="the copy in the data folder",
        ),
    ] = None,
    known: Annotated[
        int, typer.Option("--known", metavar="POSITION", min=0, help="Breaks that were recorded up to here are known.")
    ] = 0,
    config: Config = None,
) -> None:
    """Find whatever was changed, taken out, put in or cut off, while the server works or when it does not."""
    settings = loaded({"data": data}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.auditing import opened  # noqa: PLC0415 - as above

    if head is not None and not head.is_file():
        from whispercore.errors import InvalidOption  # noqa: PLC0415 - for errors only

        raise InvalidOption("--head", f"there is no file {head}")

    async def run() -> Verified:
        async with opened(settings) as trail:
            return await trail.verified(head=head, known=known)

    found = asyncio.run(run())
    from whispercore_server.cli.terminal import complain, printable  # noqa: PLC0415 - as above

    for finding in found.findings:
        complain("error", finding)
    for record in found.recorded:
        complain("warning", f"the trail was found changed before: {record}")
    extent = f"{found.events} events, {found.first} to {found.last}" if found.events else "no events"
    typer.echo(printable(f"{'whole' if found.is_whole else 'changed'}: {extent}"))
    if not found.is_whole:
        from whispercore_server.cli.exits import ExitCode  # noqa: PLC0415 - for findings only

        raise typer.Exit(ExitCode.FAILED)


@app.command()
def show(
    *,
    data: Data = None,
    count: Annotated[int, typer.Option("--count", "-n", metavar="N", min=1, help="How many of the newest.")] = 20,
    event_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only events of this type, such as auth_failure.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="USER", help="Only this user's; id or name.")] = None,
    address: Annotated[str | None, typer.Option("--address", metavar="IP", help="Only what came from there.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only events since this date or time, in UTC.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: Config = None,
) -> None:
    """Show the newest events, the oldest of them first."""
    settings = loaded({"data": data}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore.audit.event import EVENT_TYPES  # noqa: PLC0415 - as above
        from whispercore.audit.moments import beginning  # noqa: PLC0415 - as above
        from whispercore.audit.records import EventFilter  # noqa: PLC0415 - as above
        from whispercore.contract.wire import dumps  # noqa: PLC0415 - as above
        from whispercore.errors import InvalidOption  # noqa: PLC0415 - as above
        from whispercore_server.auditing import opened  # noqa: PLC0415 - as above

    types: dict[str, EventType] = {one: one for one in EVENT_TYPES}
    kind = types.get(event_type) if event_type is not None else None
    if event_type is not None and kind is None:
        raise InvalidOption("--type", f"{event_type!r} is not one of {', '.join(EVENT_TYPES)}")
    wanted = EventFilter(event_type=kind, user=user, address=address, since=beginning(since, "--since"))

    async def run() -> list[Record]:
        async with opened(settings) as trail:
            return await trail.newest(wanted, count)

    for record in asyncio.run(run()):
        typer.echo(dumps(record).decode() if as_json else _line(record))


@app.command()
def prune(
    *,
    data: Data = None,
    before: Annotated[str, typer.Option("--before", metavar="DATE", help="Drop events that are older than this.")],
    config: Config = None,
) -> None:
    """Drop old events. They are verified first; what is left can be verified as before."""
    settings = loaded({"data": data}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore.audit.moments import beginning  # noqa: PLC0415 - as above
        from whispercore_server.auditing import opened  # noqa: PLC0415 - as above

    moment = beginning(before, "--before")
    assert moment is not None

    async def run() -> int:
        async with opened(settings) as trail:
            return await trail.pruned(moment)

    typer.echo(f"{asyncio.run(run())} events dropped")


@app.command()
def head(*, data: Data = None, config: Config = None) -> None:
    """Show the signed head of the trail: keep it on another machine, to find out when both are put back together."""
    settings = loaded({"data": data}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.auditing import opened  # noqa: PLC0415 - as above

    async def run() -> str:
        async with opened(settings) as trail:
            return await trail.head()

    typer.echo(asyncio.run(run()))


def _line(record: Record) -> str:
    from whispercore_server.cli.terminal import printable  # noqa: PLC0415 - the help does without it

    who = record.username or record.user_id or "-"
    times = f" ×{record.occurrences}" if record.occurrences > 1 else ""  # noqa: RUF001 (it is meant)
    what = f"{record.action} {record.resource_type or ''} {record.resource_id or ''}".strip()
    return printable(
        f"{record.position}  {record.at:%Y-%m-%d %H:%M:%S}  {record.severity:<8}  {record.event_type}{times}  {who}  "
        f"{record.address or '-'}  {record.outcome}  {what}"
    )
