"""``whispercore serve`` that lets in whoever comes without credentials, as one user; all else is as usual.

``python -m benchmarks.open_server DATA USER`` serves until it is killed, and prints its address first.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aiohttp import web
from attrs import define

from whispercore.people.auth import Auth, Credentials
from whispercore.people.caller import Caller
from whispercore.people.scopes import ROLES
from whispercore_server.app import PORTS, create_app
from whispercore_server.settings import ServerSettings


@define
class _Open:
    everybody: Caller
    usual: Auth | None = None

    async def authenticate(self, credentials: Credentials) -> Caller:
        """Who brings nothing is let in."""
        if credentials.api_key is None and credentials.bearer is None and credentials.cookie is None:
            return self.everybody
        assert self.usual is not None
        return await self.usual.authenticate(credentials)


async def _serve(data: Path, user_id: str) -> None:
    door = _Open(Caller(user_id=user_id, username="benchmark", scopes=ROLES["user"], via="token"))
    app = create_app(ServerSettings(data=data, rate_profile="none"), worker=False, auth=door)
    door.usual = app[PORTS].people.auth
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2]))
