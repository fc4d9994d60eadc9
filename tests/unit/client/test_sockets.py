"""WebSockets, with a real one at the other end."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from aiohttp import WSCloseCode, WSMsgType, web

from tests.both_clients import Both
from tests.unit.client.groups import Echo, Heard, Odd, Over, Sound, Text
from tests.unit.client.hub import Act, Hub, shows
from whispercore.errors import NotPermitted, UnexpectedReply, Unreachable


def talks(*frames: bytes | dict[str, Any], code: int = WSCloseCode.OK, listen: int = 0) -> Act:
    async def act(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for _ in range(listen):
            frame = await socket.receive()
            assert frame.type is WSMsgType.TEXT
            told = orjson.loads(frame.data)
            await socket.send_json({"type": "heard", "text": f"{told['type']} {told['text']}"})
        for one in frames:
            await (socket.send_bytes(one) if isinstance(one, bytes) else socket.send_json(one))
        await socket.close(code=code)
        return socket

    return act


def talk(client: Any) -> Any:
    return Odd(client.transport).talk()


async def test_messages_are_classes(client: Both, hub: Hub) -> None:
    hub.then(talks({"type": "heard", "text": "bye", "added_later": 1}, {"type": "added_later"}, b"binary", listen=2))
    found = await client.talk(talk, Text(text="a"), Text(text="é"))
    assert found == [Heard(text="text a"), Heard(text="text é"), Heard(text="bye")]
    assert hub.seen[0].headers["X-API-Key"] == "secret-key-1"


async def test_bytes_travel_as_they_are(client: Both, hub: Hub) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        frame = await socket.receive()
        assert frame.type is WSMsgType.BINARY
        await socket.send_bytes(frame.data[::-1])
        await socket.send_json({"type": "echo", "data": "none"})  # no JSON makes one
        await socket.send_json({"type": "over"})
        await socket.close()
        return socket

    hub.then(echo)
    found = await client.talk(lambda c: Odd(c.transport).pipe(), Sound(data=b"\0\1\xff"))
    assert found == [Echo(data=b"\xff\1\0"), Over()]


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (talks({"type": "error", "detail": "d", "error_code": "NOT_PERMITTED", "needed": "admin"}), NotPermitted),
        (talks({"type": "heard"}), UnexpectedReply),
        (talks({"type": "heard", "text": 3}), UnexpectedReply),
        (talks(code=WSCloseCode.INTERNAL_ERROR), Unreachable),
        (shows(404, "<h1>nothing</h1>"), UnexpectedReply),
    ],
)
async def test_what_goes_wrong(client: Both, hub: Hub, act: Act, kind: type[Exception]) -> None:
    hub.then(act)
    with pytest.raises(kind):
        await client.talk(talk)


async def test_waiting_for_a_message_that_does_not_come(client: Both, hub: Hub) -> None:
    hub.then(talks({"type": "heard", "text": "one"}))

    async def received() -> Any:
        async with talk(client.client) as socket:
            return await socket.receive(), await socket.receive()

    def received_in_a_thread() -> Any:
        with talk(client.client) as socket:
            return socket.receive(), socket.receive()

    import asyncio

    with pytest.raises(Unreachable, match="closed"):
        await (asyncio.to_thread(received_in_a_thread) if client.is_sync else received())
