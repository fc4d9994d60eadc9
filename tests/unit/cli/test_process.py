"""The command as a process: pipes, signals and terminals."""

import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from whispercore_server.cli.exits import ExitCode

from .conftest import AUDIO, COMMAND, Run

SPEECH = ("-m", "micro", "-l", "en")
SAID = b"the teacher is in the station\n"


def test_standard_input_and_a_named_pipe(run: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    fifo = tmp_path / "pipe.wav"
    os.mkfifo(fifo)
    writer = subprocess.Popen(["cp", AUDIO / "clip01-en.wav", fifo])  # noqa: S607
    with (AUDIO / "clip01-en.wav").open("rb") as stdin:
        result = run("transcribe", "-", fifo, *SPEECH, stdin=stdin)
    assert writer.wait() == 0
    title = os.fsencode(fifo)
    assert result.stdout == b"==> standard input <==\n" + SAID + b"\n==> " + title + b" <==\n" + SAID
    assert (result.returncode, result.stderr) == (0, b"")
    assert list(Path(environment["TMPDIR"]).iterdir()) == []


def test_standard_input_that_is_no_recording(run: Run, tmp_path: Path) -> None:
    result = run("transcribe", "-", *SPEECH, "-o", tmp_path, input=b"hello")
    assert result.returncode == ExitCode.UNREADABLE
    assert result.stderr.startswith(b"error: standard input is not audio or video: ")
    assert list(tmp_path.iterdir()) == []


def start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "transcribe", *arguments],
        cwd=AUDIO,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def interrupted(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Press Ctrl-C, and give its children that live on when it has ended."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    return psutil.wait_procs(children, timeout=60)[1]


def test_ctrl_c_in_the_middle(environment: dict[str, str]) -> None:
    with start(environment, "talk.wav", "talk.wav", "talk.wav", "talk.wav", *SPEECH) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"==> talk.wav <==\n"
        assert process.stdout.readline() != b""  # piece by piece, long before the end
        children = psutil.Process(process.pid).children()
        left = interrupted(process)
        assert len(children) >= 2
        assert left == []
        assert (process.returncode, process.stderr.read()) == (ExitCode.CANCELLED, b"cancelled\n")


def test_ctrl_c_while_nothing_comes(environment: dict[str, str]) -> None:
    with start(environment, "-", *SPEECH) as process:
        assert process.stderr is not None
        temporary = Path(environment["TMPDIR"])
        while not list(temporary.iterdir()):
            time.sleep(0.02)
        left = interrupted(process)
        assert (process.returncode, process.stderr.read(), left) == (ExitCode.CANCELLED, b"cancelled\n", [])
        assert list(temporary.iterdir()) == []


def test_a_reader_that_has_seen_enough(environment: dict[str, str]) -> None:
    with start(environment, "talk.wav", *SPEECH) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() != b""
        process.stdout.close()
        assert process.wait(60) == ExitCode.BROKEN_PIPE
        assert process.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk(environment: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [*COMMAND, "transcribe", "clip01-en.wav", *SPEECH],
            cwd=AUDIO,
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (result.returncode, result.stderr) == (ExitCode.FAILED, b"error: No space left on device\n")


def in_terminal(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Exit code, and all that a terminal got."""
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover - becomes the command
        os.chdir(AUDIO)
        os.execve(COMMAND[0], [*COMMAND, "transcribe", *arguments], environment)  # noqa: S606
    seen = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other side has closed
            break
        if not data:
            break
        seen += data
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode()


def plain(seen: str) -> str:
    return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", seen)


def test_a_terminal_gets_bars_and_live_segments(environment: dict[str, str]) -> None:
    environment = {**environment, "TERM": "xterm", "COLUMNS": "100"}
    code, seen = in_terminal(environment, "clip01-en.wav", "missing.wav", *SPEECH)
    text = plain(seen)
    assert code == ExitCode.UNREADABLE
    assert re.search(r"clip01-en\.wav ━+ (waiting|loading model|\d+%)", text)
    assert "==> clip01-en.wav <==\r\n" in text
    assert "[00:00.3 → 00:02.2] the teacher is in the station\r\n" in text
    assert "error: missing.wav: No such file or directory\r\n" in text
    assert seen.endswith("\x1b[?25h") or "\x1b[?25h" in seen.rpartition("\x1b[?25l")[2]  # the cursor is back


def test_a_bar_says_how_much_is_done_and_when_the_rest_will_be(environment: dict[str, str], tmp_path: Path) -> None:
    environment = {**environment, "TERM": "xterm", "COLUMNS": "100"}
    code, seen = in_terminal(environment, "call-stereo.wav", *SPEECH, "-o", str(tmp_path))
    assert code == 0
    assert re.search(r"call-stereo\.wav [━╸╺]+ +[1-9]\d*%, \d+:\d\d left", plain(seen))


def test_quiet_and_output_in_a_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    environment = {**environment, "TERM": "xterm", "COLUMNS": "100"}
    code, seen = in_terminal(environment, "clip01-en.wav", *SPEECH, "-q")
    assert (code, seen) == (0, "[00:00.3 → 00:02.2] the teacher is in the station\r\n")
    code, seen = in_terminal(environment, "clip01-en.wav", *SPEECH, "-o", str(tmp_path))
    assert code == 0
    assert f"clip01-en.wav → {tmp_path}/clip01-en.txt" in plain(seen)
    assert (tmp_path / "clip01-en.txt").read_bytes() == SAID


def test_bars_on_stderr_leave_stdout_alone(environment: dict[str, str]) -> None:
    terminal, other = pty.openpty()
    process = subprocess.run(
        [*COMMAND, "transcribe", "clip01-en.wav", *SPEECH],
        cwd=AUDIO,
        env={**environment, "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=other,
        check=False,
    )
    os.close(other)
    assert process.stdout == SAID
    assert "clip01-en.wav" in plain(os.read(terminal, 65536).decode(errors="replace"))
    os.close(terminal)


def test_a_terminal_is_no_recording(environment: dict[str, str]) -> None:
    code, seen = in_terminal(environment, "-", *SPEECH)
    assert code == ExitCode.USAGE
    assert "standard input (-) is a terminal" in plain(seen)
