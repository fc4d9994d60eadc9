"""The clients in processes and threads: importing, forking, interrupting, ending."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from aiohttp import web

from tests.both_clients import both
from tests.unit.client.hub import DETAIL, Hub, Rests, says, stalls
from whispercore_client import AsyncClient, Client


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )


def test_importing_loads_nothing_heavy() -> None:
    done = run(
        "import sys, whispercore_client\n"
        "heavy = ('av', 'numpy', 'sqlalchemy', 'typer', 'rich', 'whispercore.engines', 'whispercore_server')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


async def test_a_client_that_nobody_closed_ends_with_the_program(hub: Hub) -> None:
    hub.then(says(200, DETAIL), says(200, DETAIL))
    script = (
        "from whispercore_client import Client\n"
        f"client = Client({hub.url!r})\n"
        "print(client.jobs.get('j1').status)\n"
        "stream = iter(client.with_options(retries=1).jobs.list.each())\n"
    )
    done = await asyncio.to_thread(run, script)
    assert (done.stdout, done.stderr, done.returncode) == ("completed\n", "", 0)


async def test_a_client_that_is_forgotten_ends_its_thread(hub: Hub) -> None:
    hub.then(says(200, DETAIL))

    def use() -> None:
        Client(hub.url).jobs.get("j1")

    before = set(threading.enumerate())
    await asyncio.to_thread(use)
    async with asyncio.timeout(60):
        while any(thread.name == "whispercore-client" for thread in threading.enumerate()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    left = [one.name for one in threading.enumerate() if one not in before]
    assert all(name.startswith("asyncio_") for name in left), "those of to_thread"


async def test_ctrl_c_cancels_the_call(hub: Hub) -> None:
    asked, cancelled = asyncio.Event(), asyncio.Event()

    async def waits(request: web.Request) -> web.StreamResponse:
        asked.set()
        try:
            return await stalls(request)
        finally:
            cancelled.set()

    hub.then(waits)
    script = (
        "from whispercore_client import Client\n"
        f"client = Client({hub.url!r})\n"
        "try:\n"
        "    client.jobs.get('j1')\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
        "    input()\n"
        "client.close()\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", script, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    async with asyncio.timeout(60):
        await asked.wait()
        process.send_signal(signal.SIGINT)
        await cancelled.wait()  # while the process lives on
        out, _ = await process.communicate(b"\n")
    assert (out, process.returncode) == (b"interrupted\n", 0)


async def test_threads_share_a_client(hub: Hub) -> None:
    hub.then(*[says(200, DETAIL)] * 40)
    async with both("sync", hub.url) as client:

        def many() -> list[str]:
            with ThreadPoolExecutor(8) as pool:
                return list(pool.map(lambda _: client.client.jobs.get("j1").status, range(40)))

        assert await asyncio.to_thread(many) == ["completed"] * 40


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
async def test_a_forked_process_goes_on_with_it(hub: Hub) -> None:
    hub.then(*[says(200, DETAIL)] * 3)
    script = (
        "import os\n"
        "from whispercore_client import Client\n"
        f"client = Client({hub.url!r})\n"
        "print(client.jobs.get('j1').status, flush=True)\n"
        "pid = os.fork()\n"
        "print(client.jobs.get('j1').status, flush=True)\n"
        "client.close()\n"
        "if pid: assert os.waitpid(pid, 0)[1] == 0\n"
    )
    done = await asyncio.to_thread(run, script)
    assert (done.stdout, done.stderr) == ("completed\n" * 3, "")


async def test_closing_in_the_middle_of_a_call(hub: Hub, clock: Rests) -> None:
    hub.then(stalls)
    client = Client(hub.url, clock=clock)
    calling = asyncio.ensure_future(asyncio.to_thread(client.jobs.get, "j1"))
    while not hub.seen:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await asyncio.to_thread(client.close)
    with pytest.raises(RuntimeError, match="closed"):
        await calling
    client.close()


def test_an_async_client_belongs_to_one_loop() -> None:
    client = AsyncClient("http://127.0.0.1:1", retries=0)

    async def call() -> None:
        with pytest.raises(Exception, match="cannot be reached"):
            await client.jobs.get("j1")

    async def call_again() -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            await client.jobs.get("j1")

    async def close() -> None:
        await client.close()

    with asyncio.Runner() as runner:
        runner.run(call())
        with asyncio.Runner() as another:
            another.run(call_again())
        runner.run(close())


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_calls_look_like_functions(kind: type[Client | AsyncClient]) -> None:
    client = kind("http://x")
    create = client.jobs.create
    assert create.__name__ == "create"
    assert create.__doc__ == "Upload a recording and queue its transcription."
    assert list(inspect.signature(create).parameters)[:3] == ["file", "url", "model"]
    assert client.jobs.list.__doc__ is not None
    assert repr(create) == "<POST /api/jobs/>"
    if isinstance(client, Client):
        client.close()
