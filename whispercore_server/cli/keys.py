"""``whispercore keys``: API keys, for whoever has the server's folder."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from whispercore_server.cli.server_options import Config, Data, loaded, needs_server

if TYPE_CHECKING:
    from whispercore.encryption.rotation import Rotated
    from whispercore.people.api_key import ApiKey, NewKey
    from whispercore_server.accounts import Accounts
    from whispercore_server.ports import Ports

_T = TypeVar("_T")

app = typer.Typer(
    no_args_is_help=True,
    help="Make, list and revoke the API keys of a server, and change its master key, whether it works or not.",
)


@app.command("list")
def list_keys(
    *,
    user: Annotated[str | None, typer.Option("--user", metavar="NAME", help="Only those of this user.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Those too that are revoked or expired.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Show API keys, the newest first. Nobody can show their texts."""

    async def work(ports: Ports) -> list[ApiKey]:
        from whispercore.database.page import Slice  # noqa: PLC0415 - the help does without it
        from whispercore_server.accounts import OPERATOR  # noqa: PLC0415 - as above

        owner = None if user is None else (await ports.users.named(user)).id
        found: list[ApiKey] = []
        while True:
            part = Slice(len(found), 500)
            page = await ports.keys.page(OPERATOR, part, user_id=owner, status=None if every else "active")
            found += page.rows
            if len(page.rows) < part.limit:
                return found

    keys = _done(data, config, work)
    if as_json:
        typer.echo(json.dumps([_plain(key) for key in keys], indent=2))
        return
    rows = [("preview", "user", "name", "state", "last use", "id"), *map(_row, keys)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for *short, key_id in rows:
        _say("  ".join([*(cell.ljust(width) for cell, width in zip(short, widths, strict=True)), key_id]))


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    *,
    user: Annotated[str, typer.Option("--user", metavar="NAME", help="Whose it will be.")],
    permissions: Annotated[
        list[str],
        typer.Option("--permission", metavar="NAME", help="A scope, or read, write or admin. May be repeated."),
    ],
    days: Annotated[
        int, typer.Option("--days", metavar="NUMBER", min=0, help="Days that it is good for; 0 for ever.")
    ] = 365,
    per_minute: Annotated[
        int | None,
        typer.Option(
            "--per-minute", metavar="NUMBER", help="Requests in a minute, in place of the limits of its owner."
        ),
    ] = None,
    per_day: Annotated[int | None, typer.Option("--per-day", metavar="NUMBER", help="Requests in a day.")] = None,
    allowed: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="NETWORK", help="Where it may be used from. May be repeated."),
    ] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Make an API key, and print it: the only time that it can be seen. Its owner's rights bound those of the key."""

    async def work(ports: Ports) -> NewKey:
        from whispercore_server.accounts import OPERATOR  # noqa: PLC0415 - the help does without it

        owner = await ports.users.named(user)
        return await ports.keys.create(
            OPERATOR,
            owner.id,
            name,
            permissions,
            days or None,
            requests_per_minute=per_minute,
            daily_quota=per_day,
            allowed_addresses=allowed or (),
        )

    made = _done(data, config, work)
    typer.echo(made.key)


@app.command()
def revoke(
    key_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id of the key, as `whispercore keys list` shows it.")
    ],
    *,
    data: Data = None,
    config: Config = None,
) -> None:
    """End an API key. A server that is at work lets nobody in with it after some seconds."""

    async def work(ports: Ports) -> ApiKey:
        from whispercore_server.accounts import OPERATOR  # noqa: PLC0415 - the help does without it

        return await ports.keys.revoke(OPERATOR, key_id)

    key = _done(data, config, work)
    _say(f"the key {key.preview} of {key.username}, called {key.name}, is revoked")


@app.command("rotate-master-key")
def rotate_master_key(
    *,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE",
            help="Where the new key is, or is to be made. If not given, it takes the place of the old one.",
        ),
    ] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Seal the secret keys of all users, and of the workers, to a new master key. No recording is touched."""

    async def work(accounts: Accounts) -> Rotated:
        return await accounts.rotate_master_key(to)

    rotated = _with_accounts(data, config, work)
    _say(f"secret keys that are sealed to the new master key, {rotated.recipient}: {rotated.secrets}")


@app.command("seal-recordings")
def seal_recordings(*, data: Data = None, config: Config = None) -> None:
    """Encrypt recordings that were stored in clear. No server or worker may be at work; run again, it goes on."""
    settings = loaded({"data": data}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.sealing import seal_recordings as seal  # noqa: PLC0415 - as above

    done = asyncio.run(seal(settings, tell=_say))
    _say(f"sealed: {done.files} recordings, {done.size_bytes} bytes")
    if done.damaged:
        raise typer.Exit(1)


@app.command("seal-transcripts")
def seal_transcripts(*, data: Data = None, config: Config = None) -> None:
    """Encrypt what was said in jobs that were stored in clear, once the setting encrypt_transcripts is on.

    No server or worker may be at work; run again, it goes on.
    """
    settings = loaded({"data": data}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.sealing import seal_transcripts as seal  # noqa: PLC0415 - as above

    _say(f"sealed: {asyncio.run(seal(settings, tell=_say))} jobs")


def _done(data: Path | None, config: Path | None, work: Callable[[Ports], Awaitable[_T]]) -> _T:
    return _with_accounts(data, config, lambda accounts: work(accounts.ports))


def _with_accounts(data: Path | None, config: Path | None, work: Callable[[Accounts], Awaitable[_T]]) -> _T:
    settings = loaded({"data": data}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.accounts import opened  # noqa: PLC0415 - as above

    async def run() -> _T:
        async with opened(settings) as accounts:
            return await work(accounts)

    return asyncio.run(run())


def _say(line: str) -> None:
    from whispercore_server.cli.terminal import printable  # noqa: PLC0415 - for those who print

    typer.echo(printable(line))


def _row(key: ApiKey) -> tuple[str, str, str, str, str, str]:
    last = "never" if key.last_used_at is None else key.last_used_at.strftime("%Y-%m-%d %H:%M")
    return key.preview, key.username, key.name, _state(key), last, key.id


def _state(key: ApiKey) -> str:
    from whispercore.clock import SystemClock  # noqa: PLC0415 - for those who print

    return key.status(SystemClock().now())


def _plain(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "preview": key.preview,
        "user_id": key.user_id,
        "username": key.username,
        "state": _state(key),
        "permissions": list(key.permissions),
        "allowed_addresses": list(key.allowed_addresses),
        "requests_per_minute": key.limits.requests_per_minute,
        "daily_quota": key.limits.daily_quota,
        "created_at": key.created_at.isoformat(),
        "expires_at": None if key.expires_at is None else key.expires_at.isoformat(),
        "last_used_at": None if key.last_used_at is None else key.last_used_at.isoformat(),
        "usage_count": key.usage_count,
    }
