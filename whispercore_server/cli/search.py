"""``whispercore search``: find what was said in the transcripts of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from whispercore_server.cli.remote import ApiKey, ServerUrl, connected

if TYPE_CHECKING:
    from whispercore.api.transcriber.search import SearchResult, SearchResults


def search(
    query: Annotated[
        str,
        typer.Argument(metavar="QUERY", help='Words, "phrases", beginnings*, AND, OR, NOT, -exclusions, parentheses.'),
    ],
    *,
    server: ServerUrl,
    api_key: ApiKey = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", metavar="NAME", help="Only by this model. May be repeated.")
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option("--language", "-l", metavar="NAME", help="Only in this language. May be repeated."),
    ] = None,
    filename: Annotated[
        str | None, typer.Option("--filename", metavar="TEXT", help="Only recordings with this in their name.")
    ] = None,
    after: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="Only jobs of this day, or time, and later.")
    ] = None,
    before: Annotated[
        str | None, typer.Option("--until", metavar="DAY", help="Only jobs of this day, or time, and before.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, metavar="NUMBER", help="Results at most.")] = 20,
    matches: Annotated[
        int, typer.Option("--matches", min=1, max=20, metavar="NUMBER", help="Places shown of each.")
    ] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer of the server, for programs.")] = False,
) -> None:
    """Find what was said, in the transcripts of a server that you may read.

    What was found is bold on a terminal. Each place begins with its time in the recording.
    """
    from whispercore.api.transcriber.search import DateRange, SearchFilters  # noqa: PLC0415 - the help does without it

    for option, day in (("--from", after), ("--until", before)):
        _check_day(option, day)
    with connected(server, api_key) as client:
        page = client.search.find(
            query=query,
            filters=SearchFilters(
                date_range=DateRange(start=after, end=before),
                models=model or [],
                languages=language or [],
                filename=filename,
            ),
            limit=limit,
            max_matches=matches,
        )
    if as_json:
        from whispercore.contract.wire import dumps  # noqa: PLC0415 - as above

        typer.echo(dumps(page).decode())
    else:
        _show(page)


def _check_day(option: str, day: str | None) -> None:
    from whispercore.api.transcriber.search import day_or_time  # noqa: PLC0415 - as above
    from whispercore.errors import InvalidOption  # noqa: PLC0415 - as above

    try:
        if day is not None:
            day_or_time(day)
    except ValueError as error:
        raise InvalidOption(option, str(error)) from None


def _show(page: SearchResults) -> None:
    for result in page.results:
        _show_result(result)
    shown = len(page.results)
    what = "transcript" if page.total == 1 else "transcripts"
    note = f"{page.total} {what}" if shown == page.total else f"{shown} of {page.total} {what}"
    typer.echo(f"{note} in {page.query_time}", err=True)


def _show_result(result: SearchResult) -> None:
    from whispercore.formats.timestamps import milliseconds, stamp  # noqa: PLC0415 - the help does without it
    from whispercore_server.cli.terminal import printable  # noqa: PLC0415 - as above

    typer.echo(f"{printable(result.filename)}  {result.relevance_score:.2f}  {result.job_id}")
    for match in result.matches:
        typer.echo(f"  {stamp(milliseconds(match.timestamp), '.')}  {_bold(match.highlighted)}")
    typer.echo()


def _bold(highlighted: str) -> str:
    """The text, with what was found in bold where that can be shown: ``typer.echo`` leaves it out of pipes."""
    from html import unescape  # noqa: PLC0415 - as above

    from whispercore_server.cli.terminal import printable  # noqa: PLC0415 - as above

    made = ""
    for piece in highlighted.split("<mark>"):
        found, mark, rest = piece.rpartition("</mark>")
        made += (typer.style(printable(unescape(found)), bold=True) if mark else "") + printable(unescape(rest))
    return made
