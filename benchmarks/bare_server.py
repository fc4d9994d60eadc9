"""The side to compare a server with: plain aiohttp handlers that do the same and nothing else.

``python -m benchmarks.bare_server DATABASE OWNER FOLDER`` serves until it is killed, and prints its address first.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import orjson
from aiohttp import BodyPartReader, web
from attrs import asdict

from benchmarks.bare_checked import Checked
from benchmarks.chunk_sender import CHUNK_BYTES
from whispercore.database.page import Slice
from whispercore.database.session import Database
from whispercore.jobs.job import JobFilter
from whispercore.jobs.table import Jobs
from whispercore.people.caller import Caller
from whispercore.tasks.transcribe import KIND
from whispercore_server.plugins.transcriber import views

_PIECE_BYTES = 1 << 18


async def _serve(database_url: str, owner: str, folder: Path) -> None:
    caller = Caller(user_id=owner, username="", scopes=frozenset())
    database = await Database.open(database_url)
    jobs, wanted = Jobs(database), JobFilter(kinds=(KIND,))

    async def live(http: web.Request) -> web.Response:
        del http
        return web.Response(body=orjson.dumps({"alive": True}), content_type="application/json")

    async def listed(http: web.Request) -> web.Response:
        del http
        page = await jobs.listed(caller, wanted, Slice(0, 50))
        body = {"jobs": [asdict(views.row(job)) for job in page.rows], "total": page.total}
        return web.Response(body=orjson.dumps(body, option=orjson.OPT_UTC_Z), content_type="application/json")

    async def upload(http: web.Request) -> web.Response:
        reader = await http.multipart()
        size = 0
        while (part := await reader.next()) is not None:
            assert isinstance(part, BodyPartReader)
            with (folder / "upload.bin").open("wb") as file:
                while piece := await part.read_chunk(_PIECE_BYTES):
                    size += file.write(piece)
                if "durable" in http.query:
                    file.flush()
                    await asyncio.to_thread(os.fsync, file.fileno())
        return web.json_response({"size_bytes": size})

    async def chunk(http: web.Request) -> web.Response:
        at = int(http.match_info["number"]) * CHUNK_BYTES
        handle = os.open(folder / "chunks.bin", os.O_WRONLY | os.O_CREAT)
        try:
            async for piece in http.content.iter_any():
                at += os.pwrite(handle, piece, at)
            if "durable" in http.query:
                await asyncio.to_thread(os.fsync, handle)
        finally:
            os.close(handle)
        return web.json_response({"end": at})

    app = web.Application(client_max_size=0)
    app.add_routes([web.get("/live", live), web.get("/jobs", listed), web.post("/upload", upload)])
    app.add_routes([web.post("/chunks/{number}", chunk)])
    app.add_routes(Checked(folder).routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
