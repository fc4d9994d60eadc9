"""Where the ``whispercore`` command begins.

To read the command line, much is imported, which takes as long as loading a small model. So the children
that a transcription needs are started before that: they load while this process imports.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main() -> None:
    """Run the command line of this process, and exit."""
    if transcribes_here(sys.argv[1:]):
        start_children()
    from whispercore_server.cli import main as run  # noqa: PLC0415 - after the children have begun

    run()


def transcribes_here(arguments: Sequence[str]) -> bool:
    """Whether a command line seems to ask for a transcription on this machine.

    A wrong guess costs time and nothing else: children that nobody asks for end with this process.

    Args:
        arguments: The command line without the name of the program.
    """
    command, *rest = arguments or ("",)
    if command != "transcribe" or not rest:
        return False
    return not any(word in ("-h", "--help", "--server") or word.startswith("--server=") for word in rest)


def start_children() -> None:
    """Have the decoder's and the engine's child import what they need while this process does."""
    from whispercore.audio import readers  # noqa: PLC0415 - most commands do without it

    readers.start_early()
    from whispercore.engines.whispercpp import engine  # noqa: PLC0415 - the decoder's child takes longer, and has begun

    engine.start_early()


if __name__ == "__main__":
    main()
