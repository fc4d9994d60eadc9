"""whisper.cpp's own programs, where they are on the path."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from attrs import frozen

from benchmarks.peers.service import Service
from benchmarks.results import NotMeasured
from whispercore_server.cli.doctor import trial

RECOMMENDED = "LLAMAFILE"
"""What the build that ``doctor`` recommends has, and the wheel has not."""

_STEPS = re.compile(r"(mel|sample|encode|decode|batchd|prompt) time = +([\d.]+) ms")
_SYSTEM = re.compile(r"system_info: .*")
_ON = re.compile(r"([A-Z0-9_]+) = 1")
_START_S = 120.0
_ENDING_S = 20.0
_SHOWN = 500


def program(name: str) -> str:
    """The path of one of them.

    Raises:
        NotMeasured: It is not there.
    """
    path = shutil.which(name)
    if path is None:
        raise NotMeasured(f"{name} is not on the path")
    return path


def our_features() -> tuple[str, ...]:
    """What the whisper.cpp in pywhispercpp was built with."""
    return trial.engine().features


def builds(mine: Sequence[str], log: str) -> str:
    """What both sides were built with, in words.

    Args:
        mine: Of ours.
        log: What their program said.
    """
    said = _SYSTEM.search(log)
    theirs = _ON.findall(said[0]) if said is not None else []
    if list(mine) == theirs:
        return f"Both were built with {', '.join(mine)}."
    return f"Ours was built with {', '.join(mine)}; theirs with {', '.join(theirs) or 'what is not known'}."


@frozen(kw_only=True)
class Run:
    """What one run of ``whisper-cli`` said."""

    compute_s: float
    """Its own sum of all steps of the computation, without loading, reading and writing."""
    whole_s: float
    """From the start of the program to its end."""
    text: str
    log: str


def whisper_cli(path: str, model: Path, recordings: Sequence[Path], *, threads: int, folder: Path) -> Run:
    """Transcribe recordings: greedy, each window by itself, as we do.

    Raises:
        NotMeasured: It fails.
    """
    options = ["-l", "en", "-t", str(threads), "-bs", "1", "-mc", "0"]
    outputs = [folder / f"{recording.stem}.cli" for recording in recordings]
    files = [
        word
        for recording, output in zip(recordings, outputs, strict=True)
        for word in ("-f", str(recording), "-otxt", "-of", str(output))
    ]
    began = time.perf_counter()
    done = subprocess.run(
        [path, "-m", str(model), *options, *files], capture_output=True, text=True, errors="replace", check=False
    )
    whole_s = time.perf_counter() - began
    steps = dict(_STEPS.findall(done.stderr))
    if done.returncode or "encode" not in steps:
        raise NotMeasured(f"whisper-cli ended with {done.returncode}: {done.stderr[-_SHOWN:]}")
    return Run(
        compute_s=sum(map(float, steps.values())) / 1000,
        whole_s=whole_s,
        text=" ".join(output.with_name(f"{output.name}.txt").read_text() for output in outputs),
        log=done.stderr,
    )


@contextmanager
def whisper_server(path: str, model: Path, *, threads: int, log: Path) -> Iterator[Service]:
    """``whisper-server`` on this machine, until the block ends.

    Args:
        path: Of the program.
        model: What it computes with.
        threads: How many.
        log: Where everything goes that it says.

    Raises:
        NotMeasured: It does not start.
    """
    address = ("127.0.0.1", _free_port())
    options = ["-l", "en", "-t", str(threads), "-mc", "0", "--host", address[0], "--port", str(address[1])]
    with log.open("wb") as said, subprocess.Popen([path, "-m", str(model), *options], stdout=said, stderr=said) as one:
        try:
            url = f"http://{address[0]}:{address[1]}"
            _until_ready(one, f"{url}/health", log)
            yield Service(url=f"{url}/inference", fields={"response_format": "json"})
        finally:
            one.terminate()
            try:
                one.wait(_ENDING_S)
            except subprocess.TimeoutExpired:
                one.kill()


def _until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(url, timeout=_START_S) as answer:  # noqa: S310 (of this machine)
                if answer.status == HTTPStatus.OK:
                    return
        except (URLError, OSError):
            time.sleep(0.05)
    raise NotMeasured(f"whisper-server did not start: {log.read_text(errors='replace')[-_SHOWN:]}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
