"""Children: started, heard, seen dying, ended."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from tests.processes import lives
from tests.unit.children import echo
from whispercore.children import supervisor
from whispercore.children.supervisor import Child, Exit, Isolation, end_early, start_early


class Listener:
    """Collects what a child says."""

    def __init__(self, isolation: Isolation = "process") -> None:
        self.heard: queue.SimpleQueue[tuple[object, bytes]] = queue.SimpleQueue()
        self.ended: queue.SimpleQueue[Exit] = queue.SimpleQueue()
        self.child = Child(
            "tests.unit.children.echo",
            echo.CODEC,
            receive=lambda message, body: self.heard.put((message, body)),
            exited=self.ended.put,
            isolation=isolation,
        )


@pytest.fixture(params=["process", "none"])
def either(request: pytest.FixtureRequest) -> Iterator[Listener]:
    listener = Listener(request.param)
    yield listener
    listener.child.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.child.close()


def test_it_answers(either: Listener) -> None:
    for size in (0, 1, 3_000_000):
        either.child.send(echo.Say("hello"), bytes(size))
        assert either.heard.get(timeout=60) == (echo.Say("hello"), bytes(size))


def test_closing_ends_it(either: Listener) -> None:
    either.child.close()
    assert either.ended.get(timeout=60).killed
    assert not either.child.alive
    either.child.send(echo.Say("nobody hears"))


def test_printing_does_not_disturb_the_frames(listener: Listener) -> None:
    listener.child.send(echo.Do("print"))
    assert listener.heard.get(timeout=60) == (echo.Say("printed"), b"")


def test_much_on_stderr_does_not_stop_it(listener: Listener) -> None:
    listener.child.send(echo.Do("shout"))
    assert listener.heard.get(timeout=60) == (echo.Say("shouted"), b"")


@pytest.mark.parametrize(
    ("how", "reason", "killed_by"),
    [
        ("segfault", "signal 11 (SIGSEGV)", signal.SIGSEGV),
        ("abort", "signal 6 (SIGABRT)", signal.SIGABRT),
        ("raise", "exit code 1", None),
        ("exit", "exit code 3", None),
        ("nonsense", "it sent", None),
        ("huge", "it sent a frame of", None),
    ],
)
def test_deaths_are_told(listener: Listener, how: str, reason: str, killed_by: int | None) -> None:
    listener.child.send(echo.Do(how))
    ended = listener.ended.get(timeout=60)
    assert ended.reason.startswith(reason)
    assert not ended.killed
    if killed_by is not None:
        assert ended.signal == killed_by
    if how == "raise":
        assert "ZeroDivisionError" in ended.stderr


def test_being_killed_by_us_is_told_apart(listener: Listener) -> None:
    listener.child.kill("we had enough")
    ended = listener.ended.get(timeout=60)
    assert (ended.reason, ended.killed) == ("we had enough", True)


def test_sending_never_blocks_and_killing_works_on_a_stopped_child(listener: Listener) -> None:
    listener.child.send(echo.Say("x"))
    listener.heard.get(timeout=60)
    os.kill(listener.child.pid, signal.SIGSTOP)
    for _ in range(5):
        listener.child.send(echo.Say("y"), bytes(3_000_000))
    listener.child.kill("it stands still")
    assert listener.ended.get(timeout=60).killed


def test_ctrl_c_is_for_the_parent_only(listener: Listener) -> None:
    listener.child.send(echo.Say("x"))
    listener.heard.get(timeout=60)
    assert os.getpgid(listener.child.pid) != os.getpgid(0)


def test_a_parent_that_exits_without_closing_leaves_nobody() -> None:
    script = """
from tests.unit.children.test_supervisor import Listener
listener = Listener()
print(listener.child.pid, flush=True)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    gone(int(done.stdout))


def gone(pid: int) -> None:
    """Wait until it has ended; its parent has, so others may take their time to bury it."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        while lives(process, "tests.unit.children.echo"):
            time.sleep(0.02)


def test_a_forked_process_lets_go_of_the_pipes(listener: Listener) -> None:
    """Else the child would not see its parent die while the fork lives."""
    listener.child.send(echo.Say("x"))
    listener.heard.get(timeout=60)
    script = """
import os, signal, time
from tests.unit.children import echo
from tests.unit.children.test_supervisor import Listener
listener = Listener()
listener.child.send(echo.Say("x")); listener.heard.get(timeout=60)
if (fork := os.fork()) == 0:
    os.close(1)  # whoever reads what is printed waits for nobody else
    time.sleep(600)
    os._exit(0)
print(listener.child.pid, fork, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    pid, fork = map(int, done.stdout.split())
    try:
        gone(pid)
        assert lives(psutil.Process(fork))
    finally:
        os.kill(fork, signal.SIGKILL)


def test_started_early_it_is_the_next_child() -> None:
    start_early("tests.unit.children.echo")
    start_early("tests.unit.children.echo")
    process = supervisor._early["tests.unit.children.echo", frozenset()]
    first, second = Listener(), Listener()
    assert first.child.pid == process.pid != second.child.pid
    for listener in (first, second):
        listener.child.send(echo.Say("hello"))
        assert listener.heard.get(timeout=60) == (echo.Say("hello"), b"")
        listener.child.close()


def test_started_early_with_another_environment_it_is_not() -> None:
    start_early("tests.unit.children.echo", {"X": "1"})
    listener = Listener()
    process = supervisor._early["tests.unit.children.echo", frozenset({("X", "1")})]
    assert listener.child.pid != process.pid
    listener.child.close()
    end_early("tests.unit.children.echo", {"X": "1"})
    assert process.returncode is not None
    end_early("tests.unit.children.echo", {"X": "1"})


@pytest.mark.parametrize("start_again", [True, False])
def test_started_early_and_gone_meanwhile_it_is_not_the_next_child(*, start_again: bool) -> None:
    start_early("tests.unit.children.echo")
    process = supervisor._early["tests.unit.children.echo", frozenset()]
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    if start_again:
        start_early("tests.unit.children.echo")
        assert supervisor._early["tests.unit.children.echo", frozenset()].pid != process.pid
    listener = Listener()
    listener.child.send(echo.Say("hello"))
    assert listener.heard.get(timeout=60) == (echo.Say("hello"), b"")
    listener.child.close()
    assert ("tests.unit.children.echo", frozenset()) not in supervisor._early


def test_started_early_and_never_asked_for_it_ends_with_its_parent() -> None:
    script = """
import os
from whispercore.children import supervisor
supervisor.start_early("tests.unit.children.echo")
(process,) = supervisor._early.values()
if not os.fork():
    assert not supervisor._early
    os._exit(0)
assert os.wait()[1] == 0
print(process.pid, flush=True)
"""
    for end in ("", "os.kill(os.getpid(), 9)"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script + end], capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        gone(int(done.stdout))
