"""A transcript in one line, and the same as subtitles: ``python transcribe.py [RECORDING [MODEL]]``."""

import sys
from pathlib import Path

import whispercore

MEETING = Path(__file__).parent / "meeting.wav"


def main(path: str | Path = MEETING, model: str = "micro") -> None:
    """Print the text, then SubRip subtitles."""
    transcript = whispercore.transcribe(path, model=model)
    print(transcript.text)
    print()
    print(transcript.to_srt())


if __name__ == "__main__":
    main(*sys.argv[1:3])
