"""A program that has its transcripts made by a server: ``python integration.py FOLDER [URL]``.

It sends all recordings of a folder at once with the asynchronous client, then gets the subtitles with the other one.
The key is read from ``WHISPERCORE_API_KEY``. Without arguments it starts a server of its own, for a look.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from whispercore.errors import MediaError, SuspiciousInput, WhispercoreError
from whispercore_client import AsyncClient, Client

EXAMPLES = Path(__file__).parents[1]


async def send(client: AsyncClient, recording: Path) -> str | None:
    """Have one recording transcribed; gives the id of its job, or None for a file that is no recording."""
    try:
        job = await client.transcribe(
            recording,
            model="micro",
            on_progress=lambda progress: print(f"{recording.name}: {progress.progress} %", file=sys.stderr),
        )
    except (
        MediaError,
        SuspiciousInput,
    ) as error:  # of this file, which may be a program; what is wrong with the server is for whoever called
        print(f"left out: {error}")
        return None
    return job.job_id


async def send_all(url: str, key: str, recordings: list[Path]) -> list[str]:
    """Have recordings transcribed at once."""
    async with AsyncClient(url, api_key=key) as client:
        done = await asyncio.gather(*(send(client, recording) for recording in recordings))
    return [job_id for job_id in done if job_id is not None]


def integrate(url: str, key: str, folder: Path) -> None:
    """Send what is there, then print the subtitles of each."""
    done = asyncio.run(send_all(url, key, [path for path in sorted(folder.iterdir()) if path.is_file()]))
    with Client(url, api_key=key) as client:
        for job_id in done:
            print(f"--- {client.jobs.get(job_id).filename}")
            with client.exports.download(job_id, "srt") as subtitles:
                print(subtitles.read().decode())


def look() -> None:
    """The same on the examples, with a server that is started for it."""
    key = "a-key-that-is-good-for-a-look-and-nothing-else"
    command = [sys.executable, "-m", "whispercore_server.cli", "serve", "--port", "0"]
    with TemporaryDirectory() as data:
        variables = {**os.environ, "WHISPERCORE_DATA": data, "WHISPERCORE_ADMIN_KEY": key}
        with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as server:
            try:
                url = server.stderr.readline().split()[-1] if server.stderr is not None else ""
                integrate(url, key, EXAMPLES)
            finally:
                server.terminate()


if __name__ == "__main__":
    try:
        if len(sys.argv) > 1:
            integrate(
                sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8000",
                os.environ["WHISPERCORE_API_KEY"],
                Path(sys.argv[1]),
            )
        else:
            look()
    except WhispercoreError as error:
        sys.exit(str(error))
