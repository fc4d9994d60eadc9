"""A server inside an aiohttp application of your own: ``python embedded.py [RECORDING [MODEL]]``.

It runs the application, sends it a recording, and stops it again. In a program of yours,
``web.run_app(application(…))`` takes the place of all that.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import web

from whispercore.api.transcriber.progress import Heard
from whispercore.settings import Settings
from whispercore_client import AsyncClient
from whispercore_server.app import create_app
from whispercore_server.settings import ServerSettings

MEETING = Path(__file__).parents[1] / "meeting.wav"
KEY = "the-key-of-this-program-32-characters-or-more"


async def hello(_: web.Request) -> web.Response:
    """Something that the application did before."""
    return web.Response(text="hello\n")


def application(data: Path) -> web.Application:
    """The application, with speech to text below ``/speech``."""
    app = web.Application()
    app.router.add_get("/", hello)
    settings = ServerSettings(data=data, admin_key=KEY, sign_up=False, library=Settings.from_environment())
    app.add_subapp("/speech", create_app(settings))
    return app


@asynccontextmanager
async def running(app: web.Application) -> AsyncIterator[str]:
    """Run an application on any free port; gives its address."""
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def main(recording: str | Path = MEETING, model: str = "micro") -> None:
    """Send a recording through the application, and print each phrase as soon as it is there."""
    with TemporaryDirectory() as data:
        async with running(application(Path(data))) as url, AsyncClient(f"{url}/speech", api_key=KEY) as client:
            print(f"at {url}, and {url}/speech/docs", file=sys.stderr)
            job = await client.jobs.create(file=Path(recording), model=model)
            async for event in client.progress.events(job.job_id):
                if isinstance(event, Heard):
                    print(event.segment.text)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
