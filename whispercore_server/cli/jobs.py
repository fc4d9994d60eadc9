"""``whispercore jobs``: the jobs of a server."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from whispercore_server.cli.remote import ApiKey, ServerUrl, connected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from whispercore.api.transcriber.jobs import JobDetail, JobRow

app = typer.Typer(no_args_is_help=True, help="List, follow, cancel, retry and delete the jobs of a server.")

JobIds = Annotated[list[str], typer.Argument(metavar="JOB_ID", help="The id of a job; several may be given.")]


@app.command("list")
def list_jobs(
    *,
    status: Annotated[
        Literal["queued", "processing", "completed", "failed", "cancelled"] | None,
        typer.Option("--status", metavar="STATUS", help="Only queued, processing, completed, failed or cancelled."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="NUMBER", min=1, help="How many at most.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line for each job, for programs.")] = False,
    server: ServerUrl,
    api_key: ApiKey = None,
) -> None:
    """Show your jobs, the newest first."""
    with connected(server, api_key) as client:
        rows = list(itertools.islice(client.jobs.list.each(limit=min(limit, 100), status=status), limit))
    if as_json:
        _print_json(rows)
        return
    _table(
        ("id", "status", "made", "took", "model", "recording"),
        (
            (
                row.job_id,
                row.status,
                row.created_at.strftime("%Y-%m-%d %H:%M"),
                row.duration or "",
                row.model,
                row.filename,
            )
            for row in rows
        ),
    )


@app.command()
def show(
    job_id: Annotated[str, typer.Argument(metavar="JOB_ID", help="The id of the job.")],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="First wait until it is over.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all segments, for programs.")] = False,
    server: ServerUrl,
    api_key: ApiKey = None,
) -> None:
    """Show a job, and its text once there is one. One that failed gives the exit code of a failure."""
    with connected(server, api_key) as client:
        job = client.wait(job_id) if wait else client.jobs.get(job_id)
    if as_json:
        _print_json([job])
    else:
        _describe(job)
    if job.status == "failed":
        from whispercore_server.cli.exits import ExitCode  # noqa: PLC0415 - the help does without it

        raise typer.Exit(ExitCode.FAILED)


@app.command()
def cancel(job_ids: JobIds, *, server: ServerUrl, api_key: ApiKey = None) -> None:
    """Stop jobs that wait or run."""
    with connected(server, api_key) as client:
        for job_id in job_ids:
            _say(f"{job_id}: {client.jobs.cancel(job_id).status}")


@app.command()
def retry(job_ids: JobIds, *, server: ServerUrl, api_key: ApiKey = None) -> None:
    """Queue failed or cancelled jobs again; what they had finished is kept."""
    with connected(server, api_key) as client:
        for job_id in job_ids:
            _say(f"{job_id}: {client.jobs.retry(job_id).status}")


@app.command()
def delete(job_ids: JobIds, *, server: ServerUrl, api_key: ApiKey = None) -> None:
    """Delete jobs, with their recordings and transcripts."""
    with connected(server, api_key) as client:
        for job_id in job_ids:
            client.jobs.delete(job_id)
            _say(f"{job_id}: deleted")


def _describe(job: JobDetail) -> None:
    lines = [
        ("job", job.job_id),
        ("recording", job.filename),
        ("status", f"{job.status}, {job.progress} %" if job.status == "processing" else job.status),
        ("model", job.model),
        ("language", job.language),
        ("made", job.created_at.strftime("%Y-%m-%d %H:%M:%S")),
        ("took", job.duration),
        ("error", job.error),
    ]
    for name, value in lines:
        if value is not None:
            _say(f"{name + ':':<11}{value}")
    if job.transcript is not None:
        _say(f"\n{job.transcript.text}")


def _print_json(values: Iterable[JobRow | JobDetail]) -> None:
    from whispercore.contract.wire import dumps, plain  # noqa: PLC0415 - for programs only

    for value in values:
        typer.echo(dumps(plain(value)).decode())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    every = [head, *rows]
    widths = [max(len(row[column]) for row in every) for column in range(len(head) - 1)]
    for *short, last in every:
        _say("  ".join([*(cell.ljust(width) for cell, width in zip(short, widths, strict=True)), last]))


def _say(line: str) -> None:
    from whispercore_server.cli.terminal import printable  # noqa: PLC0415 - for those who print

    typer.echo("\n".join(printable(part) for part in line.split("\n")))
