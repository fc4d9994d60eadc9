"""The typed client of the whispercore server: ``Client``, and ``AsyncClient`` for asyncio.

    with Client("http://localhost:8000", api_key="…") as client:
        print(client.transcribe("talk.mp3", model="small").transcript.text)

Each endpoint is a method: ``client.jobs.list(limit=10)``. Errors are those of ``whispercore.errors``, as the server
raised them.
"""

from __future__ import annotations

from whispercore_client.async_client import AsyncClient
from whispercore_client.client import Client

__all__ = ["AsyncClient", "Client"]
