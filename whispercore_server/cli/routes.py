"""``whispercore routes``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from whispercore_server.cli.server_options import Without, needs_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from whispercore_server.directory import Entry, Match


def routes(
    path: Annotated[
        str | None,
        typer.Argument(metavar="PATH", help="A path or an address, with real ids or not; all routes if left out."),
    ] = None,
    *,
    method: Annotated[str | None, typer.Option("--method", metavar="METHOD", help="Only this method of HTTP.")] = None,
    without: Without = None,
) -> None:
    """Show what a path of the API leads to: its declaration, its handler, its tests and the call on a client."""
    with needs_server():
        from whispercore_server.directory import entries, matches  # noqa: PLC0415 - the help does without it
        from whispercore_server.errors import CannotStart  # noqa: PLC0415 - as above
        from whispercore_server.plugin import PluginError, discovered  # noqa: PLC0415 - as above

        try:
            found = entries(discovered(without or ()))
        except PluginError as error:
            raise CannotStart(str(error)) from error
        if path is None:
            rows = [one for one in found if method is None or method.upper() in one.methods]
            if not rows:
                _refuse(f"there are no routes for {method or 'any method'}")
            _show(_table(rows))
            return
        there = matches(found, path, method)
        if not there:
            _refuse(_nothing(found, path, method))
        for number, match in enumerate(there):
            _show(_card(match, first=number == 0))


def _table(found: Sequence[Entry]) -> Iterator[str]:
    rows = [
        ("method", "path", "name", "scope", "limit", "client"),
        *(
            (entry.operation.method, path, entry.name, *_rules(entry), entry.call if alias is None else "alias")
            for entry in found
            for path, alias in entry.paths
        ),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _card(match: Match, *, first: bool) -> Iterator[str]:
    if not first:
        yield ""
    entry = match.entry
    scope, limit = _rules(entry)
    head = (
        f"{entry.operation.method} {match.path}",
        *([] if match.alias is None else [f"alias of {entry.operation.path}"]),
        entry.name,
        f"scope {scope}",
        f"limit {limit}",
        f"dialect {entry.operation.dialect.name}",
    )
    yield "   ".join(head)
    if match.alias is not None and match.alias.defaults:
        others = ", ".join(f"{name}={value!r}" for name, value in match.alias.defaults.items())
        yield f"  defaults  {others}"
    left = [("declared", entry.declared), ("tested", entry.tested)]
    right = [("answered", entry.answered), ("client", entry.call)]
    width = max(len(_or_none(value)) for _, value in left)
    for (what, value), (other, its_value) in zip(left, right, strict=True):
        yield f"  {what:<8}  {_or_none(value):<{width}}   {other:<8}  {_or_none(its_value)}"


def _rules(entry: Entry) -> tuple[str, str]:
    return entry.operation.scope or "none", entry.operation.limit


def _or_none(value: object) -> str:
    return "-" if value is None else str(value)


def _nothing(found: Sequence[Entry], path: str, method: str | None) -> str:
    from whispercore_server.directory import matches, nearest, plain_path  # noqa: PLC0415 - as above

    others = sorted(one for match in matches(found, path) for one in match.entry.methods)
    if others:
        return f"{plain_path(path)} is not there for {method}, but for {', '.join(others)}"
    similar = nearest(found, path)
    hint = f"the nearest are {', '.join(similar)}" if similar else "`whispercore routes` shows them all"
    return f"no route has the path {plain_path(path)}; {hint}"


def _show(lines: Iterator[str]) -> None:
    for line in lines:
        typer.echo(line)


def _refuse(text: str) -> NoReturn:
    from whispercore_server.cli.exits import ExitCode  # noqa: PLC0415 - for errors only
    from whispercore_server.cli.terminal import complain  # noqa: PLC0415 - rich, for errors only

    complain("error", text)
    raise typer.Exit(ExitCode.FAILED)
