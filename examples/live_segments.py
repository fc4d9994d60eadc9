"""Segments while they are found, with a time limit: ``python live_segments.py [RECORDING [MODEL [WORD]]]``.

Stops at the first segment that has the word in it. Leaving the ``async with`` block cancels what is still running.
"""

import asyncio
import sys
from pathlib import Path

import whispercore

MEETING = Path(__file__).parent / "meeting.wav"


async def listen(path: str | Path, model: str, word: str | None, limit_s: float) -> str:
    """Print segments until the end, the word or the limit; return which it was."""
    try:
        async with asyncio.timeout(limit_s), whispercore.stream(path, model=model) as transcription:
            async for segment in transcription:
                print(f"{segment.start_s:7.2f}  {segment.text}", flush=True)
                if word is not None and word in segment.text.lower().split():
                    return f"heard {word!r}"
    except TimeoutError:
        return f"not done after {limit_s:g} s"
    return "done"


def main(path: str | Path = MEETING, model: str = "micro", word: str | None = None) -> None:
    """Listen for at most two minutes."""
    print(asyncio.run(listen(path, model, word, limit_s=120.0)))


if __name__ == "__main__":
    main(*sys.argv[1:4])
