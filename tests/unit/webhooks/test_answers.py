"""What receivers may say, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.live import settings_for
from whispercore.database.page import Slice
from whispercore.testing import FakeClock
from whispercore.testing.making_jobs import ANN
from whispercore.webhooks import sending
from whispercore.webhooks.webhook import Delivery, NewWebhook
from whispercore_server.ports import Ports

Say = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def receiver(say: Say) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """An address where this is said to everybody, and what is set when a caller has hung up."""
    left = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            await say(writer)
        left.set()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", left


async def told(folder: Path, url: str) -> Delivery:
    """What became of a message to this address."""
    ports = Ports.of(settings_for(folder, allow_internal_addresses=True), clock=FakeClock())
    async with ports.opened():
        webhook, _ = await ports.webhooks.create(NewWebhook(url=url, events=("job.failed",)), ANN)
        await ports.webhooks.test(webhook.id, ANN)
        await ports.webhook_sender.begin()
        await ports.webhook_sender.settled()
        (delivery,) = (await ports.webhooks.deliveries(webhook.id, ANN, Slice())).rows
        return delivery


async def on_and_on(writer: asyncio.StreamWriter, piece: bytes, *, every_s: float = 0.0) -> None:
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(every_s)


async def test_an_answer_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await on_and_on(writer, bytes(1 << 16))

    async with asyncio.timeout(60), receiver(say) as (url, left):
        delivery = await told(tmp_path, url)
        await left.wait()
    assert (delivery.status, delivery.response_status) == ("delivered", 200)


@pytest.mark.parametrize("piece", [b"X: a\r\n", b"a"], ids=["many", "long"])
async def test_a_head_without_end_is_no_answer(tmp_path: Path, piece: bytes) -> None:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        await on_and_on(writer, piece * 1000)

    async with asyncio.timeout(60), receiver(say) as (url, left):
        delivery = await told(tmp_path, url)
        await left.wait()
    assert (delivery.status, delivery.response_status) == ("pending", None)
    assert delivery.error == "the connection broke off"


async def test_who_answers_a_byte_at_a_time_is_waited_for_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TOTAL_S", 0.3)

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        await on_and_on(writer, b"a", every_s=0.02)

    async with asyncio.timeout(60), receiver(say) as (url, left):
        delivery = await told(tmp_path, url)
        await left.wait()
    assert (delivery.status, delivery.error) == ("pending", "it did not answer in time")
