"""In a real Jupyter kernel: the cells of the page about notebooks, and interrupting one."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.docs.test_docs import ROOT, blocks
from tests.speech import AUDIO, truth

PAGE = ROOT / "docs" / "how-to" / "notebooks-threads-and-forks.md"
SAID = truth()["clip01-en.wav"]["text"]


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[KernelManager]:
    shutil.copy(AUDIO / "clip01-en.wav", tmp_path / "talk.mp3")
    shutil.copy(AUDIO / "talk.wav", tmp_path / "talk.wav")
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(tmp_path))
    yield manager
    manager.shutdown_kernel(now=True)


@pytest.fixture
def client(kernel: KernelManager) -> Iterator[BlockingKernelClient]:
    client = kernel.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield client
    client.stop_channels()


def cell(client: BlockingKernelClient, code: str) -> str:
    """What the cell printed; a cell that failed fails the test."""
    printed: list[str] = []

    def note(message: dict[str, dict[str, str]]) -> None:
        printed.append(message["content"].get("text", ""))

    reply = client.execute_interactive(code, timeout=60, output_hook=note)
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(printed)


def test_the_cells_of_the_page(client: BlockingKernelClient) -> None:
    first, *_ = blocks(PAGE, "python")
    awaited, *_ = blocks(PAGE, "text")
    assert cell(client, first + "print(transcript.text)").strip() == SAID
    assert cell(client, awaited + "print(transcript.text)").strip() == SAID


def test_interrupting_a_cell_cancels_the_computation(kernel: KernelManager, client: BlockingKernelClient) -> None:
    cell(client, "import os, whispercore")
    process = psutil.Process(int(cell(client, "print(os.getpid())")))
    asked = client.execute("whispercore.transcribe('talk.wav', model='micro', on_progress=lambda _: print('moves'))")
    while client.get_iopub_msg(timeout=60)["content"].get("text", "") != "moves\n":
        pass
    kernel.interrupt_kernel()
    reply = client.get_shell_msg(timeout=60)
    assert reply["parent_header"]["msg_id"] == asked
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert stands_still(process)
    assert cell(client, "print(whispercore.transcribe('talk.mp3', model='micro').text)").strip() == SAID


def stands_still(process: psutil.Process) -> bool:
    """Whether none of its children computes: their processor time is the same for half a second."""
    for _ in range(20):
        before = computed_s(process)
        time.sleep(0.5)
        if computed_s(process) == before:
            return True
    return False


def computed_s(process: psutil.Process) -> dict[int, float]:
    return {child.pid: child.cpu_times().user for child in process.children(recursive=True)}
