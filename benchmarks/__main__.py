"""``python -m benchmarks``: all of them, or those that are named."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import evolve

from benchmarks import (
    answers,
    cancel,
    chaos,
    chunks,
    cuda,
    door,
    encryption,
    first_segment,
    followers,
    formats,
    health,
    imports,
    limits,
    live,
    logins,
    many_files,
    memory,
    overhead,
    overlap,
    queueing,
    requests,
    search,
    short_clips,
    through_server,
    uploads,
    voice_activity,
    window_length,
    words,
)
from benchmarks.machine import this_machine
from benchmarks.peers import address, cli, faster_whisper, server
from benchmarks.place import Peer, Place, default_cache, like_an_installation
from benchmarks.processes import busy_cores
from benchmarks.results import NotMeasured, Result, as_json, as_markdown

BENCHMARKS: Mapping[str, Callable[[Place], Result]] = {
    "overhead": overhead.run,
    "files": many_files.run,
    "memory": memory.run,
    "cancel": cancel.run,
    "import": imports.run,
    "formats": formats.run,
    "overlap": overlap.run,
    "short": short_clips.run,
    "windows": window_length.run,
    "vad": voice_activity.run,
    "first": first_segment.run,
    "words": words.run,
    "requests": requests.run,
    "door": door.run,
    "limits": limits.run,
    "logins": logins.run,
    "uploads": uploads.run,
    "chunks": chunks.run,
    "encryption": encryption.run,
    "queue": queueing.run,
    "server": through_server.run,
    "answers": answers.run,
    "followers": followers.run,
    "health": health.run,
    "chaos": chaos.run,
    "search": search.run,
    "live": live.run,
    "whisper-cli": cli.run,
    "whisper-server": server.run,
    "faster-whisper": faster_whisper.run,
    "cuda": cuda.run,
    "peers": address.run,
}


def main() -> None:
    """Measure, and print the table."""
    arguments = _arguments()
    machine = this_machine()
    results: list[Result] = []
    table = ""
    with tempfile.TemporaryDirectory(prefix="whispercore-benchmarks-") as folder:
        peers = tuple(Peer(*words) for words in arguments.peer)
        place = Place(folder=Path(folder), cache=arguments.cache, quick=arguments.quick, peers=peers)
        like_an_installation()
        for name in arguments.only or BENCHMARKS:
            _say(f"{name} …")
            results.append(_measured(name, place))
            _say(f"{name}: {results[-1].took_s:.0f} s")
            table = as_markdown(machine, results, quick=arguments.quick)
            if arguments.json is not None:
                arguments.json.write_text(as_json(machine, results, quick=arguments.quick))
            if arguments.markdown is not None:
                arguments.markdown.write_text(table)
    print(table, end="")


def _measured(name: str, place: Place) -> Result:
    look_s = 0.1 if place.quick else 2.0
    before = busy_cores(look_s)
    began = time.monotonic()
    try:
        result = BENCHMARKS[name](place)
    except NotMeasured as reason:
        result = Result(name=name, title=name.capitalize(), how=f"Not measured: {reason}.")
    took_s = time.monotonic() - began
    return evolve(result, took_s=took_s, others_cores=(before + busy_cores(look_s)) / 2)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure how fast and heavy it is.")
    parser.add_argument("--quick", action="store_true", help="little work and the smallest model: does it run at all?")
    parser.add_argument(
        "--only",
        action="append",
        choices=list(BENCHMARKS),
        metavar="NAME",
        help=f"only this one, may be given several times: {', '.join(BENCHMARKS)}",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table as Markdown")
    parser.add_argument(
        "--cache",
        type=Path,
        default=default_cache(),
        metavar="DIR",
        help="where models that were made are kept (tiny and small: 0.6 GB)",
    )
    parser.add_argument(
        "--peer",
        action="append",
        nargs=3,
        default=[],
        metavar=("URL", "THEIR_MODEL", "OUR_MODEL"),
        help="a server with OpenAI's API (speaches and others) or whisper-asr-webservice, for `peers`; may be given "
        f"several times. Its key, if it wants one, is taken from {address.KEY}",
    )
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
