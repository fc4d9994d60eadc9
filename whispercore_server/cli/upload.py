"""``whispercore upload``: large recordings to a server, over breaks."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from whispercore_server.cli.remote import ApiKey, ServerUrl, connected

if TYPE_CHECKING:
    from whispercore.api.transcriber.job_options import JobOptions
    from whispercore_client import Client
    from whispercore_server.cli.terminal import Screen

_MOST_REMEMBERED: Final = 100


def upload(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Recordings: audio or video of any format.")],
    *,
    server: ServerUrl,
    api_key: ApiKey = None,
    model: Annotated[
        str | None,
        typer.Option("-m", "--model", metavar="MODEL", help="A model of the server.", show_default="the server's"),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option("-l", "--language", metavar="LANGUAGE", help="What is spoken.", show_default="detected"),
    ] = None,
    parallel: Annotated[
        int, typer.Option("--parallel", metavar="N", min=1, max=64, help="Chunks that are sent at once.")
    ] = 4,
    encrypt: Annotated[
        bool,
        typer.Option(
            "--encrypt",
            help="Encrypt for the server before sending; in one request each, which begins anew when it breaks off.",
        ),
    ] = False,
    own_key: Annotated[
        str | None,
        typer.Option("--own-key", metavar="KEY", help="With --encrypt: your public key, to encrypt for it too."),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress bars.")] = False,
) -> None:
    """Send recordings to a server in chunks, and queue their transcription.

    What was interrupted goes on where it was when the same command is given again. The id of each job is written to
    standard output.
    """
    from whispercore.api.transcriber.job_options import JobOptions  # noqa: PLC0415 - the help does without it
    from whispercore_server.cli.terminal import Screen  # noqa: PLC0415 - as above

    if own_key is not None and not encrypt:
        raise typer.BadParameter("it is for --encrypt", param_hint="--own-key")
    screen, options = Screen(bars=not quiet), JobOptions(model=model, language=language)
    with connected(server, api_key) as client:
        for path in files:
            if encrypt:
                job_id = _sent_encrypted(client, path, own_key, options, screen)
            else:
                job_id = _sent(client, path, _Begun.of(path, server), options, screen, parallel=parallel)
            typer.echo(f"{path}: {job_id}")


def _sent(client: Client, path: Path, begun: _Begun, options: JobOptions, screen: Screen, *, parallel: int) -> str:
    """The id of the job."""
    from whispercore.errors import Conflict, KeyReused, NotFound, UploadExpired  # noqa: PLC0415 - see above

    goes_on = begun.session_id is not None
    try:
        session_id, sums = _chunks_sent(client, path, begun, parallel, screen)
        made = client.chunked_uploads.finalize(
            session_id,
            model=options.model,
            language=options.language,
            chunk_checksums=sums,
            idempotency_key=session_id,
        )
    except (Conflict, KeyReused, NotFound, UploadExpired):
        if not goes_on:
            raise
        begun.forget()
        return _sent(client, path, begun, options, screen, parallel=parallel)  # that one is over
    begun.forget()
    return made.job_id


def _chunks_sent(
    client: Client, path: Path, begun: _Begun, parallel: int, screen: Screen
) -> tuple[str, list[str] | None]:
    """An upload whose chunks are all there, and their checksums; None in place of these where it has its job already.

    That is so where this command was killed before it was told.
    """
    from whispercore.errors import Conflict  # noqa: PLC0415 - see above
    from whispercore_server.cli.bars import download_bar  # noqa: PLC0415 - rich, for those who print

    session_id = begun.session_id
    with download_bar(path.name, screen.console) as on_progress:
        try:
            sent = client.upload_file(
                path, session_id=session_id, parallel=parallel, on_progress=on_progress, on_begin=begun.remember
            )
        except Conflict:
            if session_id is None or client.chunked_uploads.status(session_id).status != "completed":
                raise
            return session_id, None
    return sent.session_id, [*sent.chunk_checksums]


def _sent_encrypted(client: Client, path: Path, own_key: str | None, options: JobOptions, screen: Screen) -> str:
    from whispercore_server.cli.bars import download_bar  # noqa: PLC0415 - rich, for those who print

    with download_bar(path.name, screen.console) as on_upload:
        sent = client.with_options(on_upload=on_upload).upload_encrypted(path, own_key=own_key, options=options)
    return sent.job_id or ""


class _Begun:
    """Remembers which upload a recording has, for the next time that this command is given.

    Args:
        place: Where that is kept.
        name: Of the recording as it is now, and of its server.
    """

    def __init__(self, place: Path, name: str) -> None:
        self._place = place
        self._name = name

    @classmethod
    def of(cls, path: Path, server: str) -> _Begun:
        from platformdirs import user_state_path  # noqa: PLC0415 - needed here only

        found = path.stat()
        name = f"{server.rstrip('/')} {path.absolute()} {found.st_size} {found.st_mtime_ns}"
        return cls(user_state_path("whispercore") / "uploads.json", name)

    @property
    def session_id(self) -> str | None:
        """Its upload, if there is one."""
        return self._read().get(self._name)

    def remember(self, session_id: str) -> None:
        """It has this upload."""
        kept = {**self._read(), self._name: session_id}
        self._write(dict(list(kept.items())[-_MOST_REMEMBERED:]))

    def forget(self) -> None:
        """It has none any more."""
        kept = self._read()
        if kept.pop(self._name, None) is not None:
            self._write(kept)

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._place.read_text())
        except (OSError, ValueError):
            return {}
        return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}

    def _write(self, kept: dict[str, str]) -> None:
        self._place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._place.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(kept, indent=1))
        new.replace(self._place)
