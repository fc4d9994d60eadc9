"""Where the command begins: what is started before the command line is read."""

from __future__ import annotations

import subprocess
import sys

import pytest

from whispercore_server.command import transcribes_here


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("transcribe talk.mp3", True),
        ("transcribe -m small a.wav b.wav --words", True),
        ("transcribe -", True),
        ("transcribe", False),
        ("transcribe --help", False),
        ("transcribe talk.mp3 -h", False),
        ("transcribe talk.mp3 --server http://speech.example", False),
        ("transcribe --server=http://speech.example talk.mp3", False),
        ("models list", False),
        ("doctor", False),
        ("--version", False),
        ("", False),
    ],
)
def test_only_a_transcription_here_needs_children(line: str, *, expected: bool) -> None:
    assert transcribes_here(line.split()) is expected


@pytest.mark.parametrize(("command", "started"), [("transcribe", 2), ("models", 0)])
def test_children_begin_before_the_command_line_is_read(command: str, started: int) -> None:
    program = (
        "import sys, types\n"
        f"sys.argv = ['whispercore', {command!r}, 'talk.mp3']\n"
        "cli = types.ModuleType('whispercore_server.cli')\n"
        "def main():\n"
        "    from whispercore.children import supervisor\n"
        "    processes = supervisor._early.values()\n"
        "    assert all(process.poll() is None for process in processes)\n"
        "    print(len(processes), 'typer' in sys.modules)\n"
        "cli.main = main\n"
        "sys.modules[cli.__name__] = cli\n"
        "from whispercore_server.command import main\n"
        "main()\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == f"{started} False\n"
