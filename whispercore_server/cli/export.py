"""``whispercore export``: transcripts of jobs of a server, as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from whispercore_server.cli.format_options import OptionTexts
from whispercore_server.cli.remote import ApiKey, ServerUrl, connected

if TYPE_CHECKING:
    from whispercore_client import Client

_STDOUT = (Path("-"), Path("/dev/stdout"))


def export(
    job_ids: Annotated[
        list[str] | None, typer.Argument(metavar="JOB_ID", help="Completed jobs; several come in a zip archive.")
    ] = None,
    *,
    server: ServerUrl,
    batch_id: Annotated[
        str | None,
        typer.Option("--batch", metavar="BATCH_ID", help="All files of a batch, in a zip archive, in place of jobs."),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "-f",
            "--format",
            metavar="FORMAT",
            help="What to write: a name of the reference of formats.",
            show_default="by the ending of --output, else txt",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="The file to write; in a folder it is called like the recording.",
            show_default="standard output",
        ),
    ] = None,
    option_texts: OptionTexts = None,
    api_key: ApiKey = None,
) -> None:
    """Fetch the transcripts of a server's jobs, in any format.

    A file is written whole or not at all. Where one of several jobs cannot be exported, the archive has the others.
    """
    from whispercore.errors import InvalidOption  # noqa: PLC0415 - the help does without the library
    from whispercore_server.cli.format_options import given  # noqa: PLC0415 - as above
    from whispercore_server.cli.transcribe.outputs import chosen, needs_file  # noqa: PLC0415 - as above

    if bool(job_ids) == (batch_id is not None):
        raise InvalidOption("--batch", "ids of jobs or a batch are wanted, and not both")
    if output in _STDOUT:
        output = None
    single = job_ids[0] if job_ids and len(job_ids) == 1 else None
    (name,) = chosen([format_] if format_ else None, None if single is None else output)
    options = given(option_texts, (name,))[name]
    if output is None:
        needs_file((name,))
        if single is None:
            raise InvalidOption("--output", "several jobs come in an archive, which needs a file: add --output FILE")
    with connected(server, api_key) as client:
        if single is not None:
            _single(client, single, name, options, output)
        elif output is not None:
            _archive(client, name, options, output, job_ids=job_ids or None, batch_id=batch_id)


def _single(client: Client, job_id: str, name: str, options: dict[str, Any], output: Path | None) -> None:
    with client.exports.download(job_id, name, **options) as file:
        if output is None:
            typer.echo(file.read(), nl=False)
        else:
            file.save(output)


def _archive(
    client: Client,
    name: str,
    options: dict[str, Any],
    output: Path,
    *,
    job_ids: list[str] | None,
    batch_id: str | None,
) -> None:
    """Save the archive, and tell what is not in it.

    Raises:
        typer.Exit: Something is not.
    """
    import json  # noqa: PLC0415 - the help does without it
    import zipfile  # noqa: PLC0415 - as above

    from whispercore.api.transcriber.exports import MANIFEST, ExportOptions  # noqa: PLC0415 - as above
    from whispercore_server.cli.exits import ExitCode  # noqa: PLC0415 - as above
    from whispercore_server.cli.terminal import complain  # noqa: PLC0415 - as above

    wanted = ExportOptions(**options)
    with client.exports.batch(job_ids=job_ids, batch_id=batch_id, format=name, options=wanted) as file:
        path = file.save(output)
    with zipfile.ZipFile(path) as archive:
        jobs = json.loads(archive.read(MANIFEST))["jobs"]
    failed = [job for job in jobs if job["file"] is None]
    for job in failed:
        complain("error", f"{job['job_id']}: {job['detail']}" if job["job_id"] else job["detail"])
    if failed:
        raise typer.Exit(ExitCode.FAILED)
