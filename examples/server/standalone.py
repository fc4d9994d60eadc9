"""A server by itself, as a service manager runs it: ``python standalone.py``.

Settings are in ``whispercore.toml``, the key comes from the environment, SIGTERM ends it in order.
"""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from whispercore_client import Client

HERE = Path(__file__).parent


@contextmanager
def service(data: str, key: str) -> Iterator[str]:
    """A server as long as the block lasts; gives its address, which is the end of the first line that it writes."""
    command = [sys.executable, "-m", "whispercore_server.cli", "serve", "--data", data, "--port", "0"]
    with subprocess.Popen(
        [*command, "--config", str(HERE / "whispercore.toml")],
        env={**os.environ, "WHISPERCORE_ADMIN_KEY": key},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            yield process.stderr.readline().split()[-1]
        finally:
            process.send_signal(signal.SIGTERM)
            print(process.stderr.read(), file=sys.stderr)
    print(f"ended with {process.returncode}")


def main() -> None:
    """Start it, do some work, stop it; start it again, and the work is still there."""
    key = secrets.token_urlsafe(32)
    with TemporaryDirectory() as data:
        with service(data, key) as url, Client(url, api_key=key) as client:
            job = client.transcribe(HERE.parent / "meeting.wav", model="micro")
            print(f"{job.job_id} is {job.status} after {job.duration}")
        with service(data, key) as url, Client(url, api_key=key) as client:
            for row in client.jobs.list.each():
                print(f"{row.job_id} is {row.status}: {row.transcript_preview}")


if __name__ == "__main__":
    main()
