"""``whispercore users``: accounts, for whoever has the server's folder."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from whispercore_server.cli.server_options import Config, Data, loaded, needs_server

if TYPE_CHECKING:
    from whispercore.people.users import User
    from whispercore_server.accounts import Accounts

_T = TypeVar("_T")
_Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a user.")]

app = typer.Typer(
    no_args_is_help=True, help="Make, list and change the accounts of a server, while it works or when it does not."
)


class Role(Enum):
    """What somebody is."""

    USER = "user"
    ADMIN = "admin"


@app.command()
def create(
    name: _Name,
    *,
    email: Annotated[str | None, typer.Option("--email", metavar="ADDRESS", help="His e-mail address.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="He administers the server.")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Make an account. The password is asked for, or read from standard input."""
    from whispercore_server.cli.secrets import password  # noqa: PLC0415 - the help does without it

    given, role = password(), Role.ADMIN if admin else Role.USER
    user = _done(data, config, lambda accounts: accounts.create(name, given, email, role.value), make=True)
    _say(f"{user.username} has an account now, id {user.id}")


@app.command("list")
def list_users(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Show every account, the oldest first."""
    users = _done(data, config, lambda accounts: accounts.every())
    if as_json:
        typer.echo(json.dumps([_plain(user) for user in users], indent=2))
        return
    rows = [("name", "role", "state", "last login", "id"), *(_row(user) for user in users)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for *short, user_id in rows:
        _say("  ".join([*(cell.ljust(width) for cell, width in zip(short, widths, strict=True)), user_id]))


@app.command()
def activate(name: _Name, *, data: Data = None, config: Config = None) -> None:
    """Open an account again."""
    user = _done(data, config, lambda accounts: accounts.set_active(name, active=True))
    _say(f"the account of {user.username} is open")


@app.command()
def deactivate(name: _Name, *, data: Data = None, config: Config = None) -> None:
    """Close an account: its sessions end, and its keys let nobody in."""
    user = _done(data, config, lambda accounts: accounts.set_active(name, active=False))
    _say(f"the account of {user.username} is closed")


@app.command()
def role(
    name: _Name,
    new: Annotated[Role, typer.Argument(metavar="ROLE", help="What he will be: user or admin.")],
    *,
    data: Data = None,
    config: Config = None,
) -> None:
    """Make somebody an administrator, or an administrator a user."""
    user = _done(data, config, lambda accounts: accounts.set_role(name, new.value))
    _say(f"{user.username} is {'an administrator' if user.is_admin else 'a user'} now")


@app.command()
def password(name: _Name, *, data: Data = None, config: Config = None) -> None:
    """Give somebody another password, and end his sessions. It is asked for, or read from standard input."""
    from whispercore_server.cli import secrets  # noqa: PLC0415 - the help does without it

    given = secrets.password()
    ended = _done(data, config, lambda accounts: accounts.set_password(name, given))
    _say(f"the password of {name} is another one now; sessions that ended: {ended}")


@app.command("rotate-signing-key")
def rotate_signing_key(
    *,
    now: Annotated[
        bool,
        typer.Option("--now", help="After a leak: tokens that were signed before are worth nothing any more."),
    ] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Sign tokens with a new key. Nobody is logged out: tokens of the old one are good until they expire."""
    made = _done(data, config, lambda accounts: accounts.rotate_signing_key(believe_old=not now))
    _say(f"tokens are signed with the key {made.id} now")


def _done(
    data: Path | None, config: Path | None, work: Callable[[Accounts], Awaitable[_T]], *, make: bool = False
) -> _T:
    settings = loaded({"data": data}, config).settings
    with needs_server():
        import asyncio  # noqa: PLC0415 - the help does without it

        from whispercore_server.accounts import opened  # noqa: PLC0415 - as above

    async def run() -> _T:
        async with opened(settings, make=make) as accounts:
            return await work(accounts)

    return asyncio.run(run())


def _say(line: str) -> None:
    from whispercore_server.cli.terminal import printable  # noqa: PLC0415 - for those who print

    typer.echo(printable(line))


def _row(user: User) -> tuple[str, str, str, str, str]:
    last = "never" if user.last_login_at is None else user.last_login_at.strftime("%Y-%m-%d %H:%M")
    return user.username, "admin" if user.is_admin else "user", "open" if user.is_active else "closed", last, user.id


def _plain(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "roles": list(user.roles),
        "is_active": user.is_active,
        "created_at": user.created_at.isoformat(),
        "last_login_at": None if user.last_login_at is None else user.last_login_at.isoformat(),
    }
