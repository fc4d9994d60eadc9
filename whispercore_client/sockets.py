"""WebSockets whose messages are classes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import aiohttp

from whispercore.contract.endpoint import Channel
from whispercore.contract.messages import Message, Octets, octets_of, untagged
from whispercore.contract.transport import AsyncSocket
from whispercore.contract.wire import Json, dumps, loads
from whispercore.errors import UnexpectedReply, Unreachable, WhispercoreError

_SWITCHED: Final = 101
_SHOWN: Final = 200


class OpenSocket(AsyncSocket[Message, Message]):
    """The client's end of a WebSocket.

    Args:
        channel: What it carries.
        socket: The open socket.
        url: For errors.
        broken: Makes our error of what went wrong.
    """

    def __init__(
        self,
        channel: Channel[Any, Any, Any, Any],
        socket: aiohttp.ClientWebSocketResponse,
        url: str,
        broken: Callable[[Exception], WhispercoreError],
    ) -> None:
        self._channel = channel
        self._octets = octets_of(channel.outgoing)
        self._socket = socket
        self._url = url
        self._broken = broken

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            Unreachable: The connection is closed.
        """
        try:
            if isinstance(message, Octets):
                await self._socket.send_bytes(message.data)
            else:
                fields = message.to_json()
                body = {"type": message.tag, **fields} if isinstance(fields, dict) else {"type": message.tag}
                await self._socket.send_str(dumps(body).decode())
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(error) from error

    async def receive(self) -> Message:
        """Wait for the next message; those of kinds that this version does not know are passed over.

        Raises:
            Unreachable: The connection is closed.
        """
        message = await self._next()
        if message is None:
            raise Unreachable(self._url, "the WebSocket was closed")
        return message

    async def __aiter__(self) -> AsyncIterator[Message]:
        while (message := await self._next()) is not None:
            yield message

    async def _next(self) -> Message | None:
        """None once it is closed."""
        while True:
            frame = await self._socket.receive()
            if frame.type is aiohttp.WSMsgType.TEXT:
                if (message := self._read(frame.data)) is not None:
                    return message
            elif frame.type is aiohttp.WSMsgType.BINARY:
                if self._octets is not None:
                    made: Message = self._octets(data=frame.data)
                    return made
            elif frame.type is aiohttp.WSMsgType.ERROR:
                broken = self._socket.exception()
                raise self._broken(broken if isinstance(broken, Exception) else OSError("the connection broke off"))
            else:
                if self._socket.close_code not in (aiohttp.WSCloseCode.OK, aiohttp.WSCloseCode.GOING_AWAY):
                    raise Unreachable(self._url, f"the WebSocket was closed with the code {self._socket.close_code}")
                return None

    def _read(self, text: str) -> Message | None:
        try:
            body: Json = loads(text.encode())
            tag = body.pop("type", None) if isinstance(body, dict) else None
            if tag == "error" and (error := self._channel.dialect.read(_SWITCHED, body)) is not None:
                raise error
            found: Message | None = untagged(self._channel.outgoing, str(tag), body)
        except ValueError as error:
            raise UnexpectedReply(_SWITCHED, "a WebSocket's message", str(error)[:_SHOWN]) from error
        return found
