"""How far a transcription is, on stderr: ``python progress.py [RECORDING [MODEL]]``."""

import sys
from pathlib import Path

import whispercore

MEETING = Path(__file__).parent / "meeting.wav"


def show(progress: whispercore.Progress) -> None:
    """One line that is written over; a part is None while it cannot be known."""
    percent = "  ?" if progress.fraction is None else f"{progress.fraction:4.0%}"
    left = "" if progress.eta_s is None else f", {progress.eta_s:.0f} s left"
    print(f"\r{progress.stage:15} {percent}{left}\x1b[K", end="", file=sys.stderr, flush=True)


def main(path: str | Path = MEETING, model: str = "micro") -> None:
    """Print the text; meanwhile say how far it is."""
    transcript = whispercore.transcribe(path, model=model, on_progress=show)
    print(file=sys.stderr)
    print(transcript.text)


if __name__ == "__main__":
    main(*sys.argv[1:3])
