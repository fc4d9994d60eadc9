"""Several recordings at once, with one loaded model: ``python many_files.py [RECORDING…]``.

Threads are enough: they wait for the engine's process, and all of them share it. A recording that cannot be read
costs itself only.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import whispercore

MEETING = Path(__file__).parent / "meeting.wav"


def line(path: str | Path) -> str:
    """The text of a recording, or why there is none."""
    try:
        return f"{path}: {whispercore.transcribe(path, model='micro').text}"
    except (whispercore.WhispercoreError, OSError) as error:
        return f"{path}: {error}"


def main(*paths: str | Path) -> None:
    """Print the text of each, in the order given."""
    with ThreadPoolExecutor(4) as threads:
        for text in threads.map(line, paths or (MEETING,) * 3):
            print(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
