"""Documents and pages in an application: ``/openapi.json``, one document for each API, ``/docs`` and ``/redoc``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Final

from aiohttp import web
from attrs import field, frozen

from whispercore.contract.group import Api
from whispercore_server.openapi.fixed import Fixed
from whispercore_server.openapi.pages import mount_pages

ALL: Final = "/openapi.json"


@frozen(kw_only=True, slots=False)
class _OnDemand:
    """A document that is written when it is first asked for: that takes longer than to make the application."""

    url: str
    apis: Sequence[Api]
    title: str
    version: str
    root: str
    _lock: threading.Lock = field(factory=threading.Lock, repr=False, eq=False)

    def _once(self) -> Fixed:
        with self._lock:
            return self._written

    @cached_property
    def _written(self) -> Fixed:
        # Most servers never write one: they do without what it takes.
        from whispercore_server.openapi.document import Part, document  # noqa: PLC0415
        from whispercore_server.openapi.openapi31 import OpenApi31  # noqa: PLC0415

        parts = [Part.of(api) for api in self.apis]
        made = document(parts, title=self.title, version=self.version, root=self.root)
        return OpenApi31(made, self.url).written()

    async def respond(self, http: web.Request) -> web.StreamResponse:
        """Send it; a handler.

        Raises:
            TypeError: An API cannot be described.
        """
        return await (await asyncio.to_thread(self._once)).respond(http)


def mount_documents(app: web.Application, apis: Sequence[Api], *, version: str) -> None:
    """Add the documents of these APIs, and the pages that show them, to an application.

    All addresses in them are relative, so that it does not matter where another application mounts this one.

    Args:
        app: The application.
        apis: What it serves.
        version: Of the server.
    """
    documents = [_OnDemand(url=ALL, apis=apis, title="whispercore", version=version, root=".")]
    for api in apis:
        url = f"/openapi/{api.name}.json"
        documents.append(_OnDemand(url=url, apis=(api,), title=api.title, version=api.version, root=".."))
    for one in documents:
        app.router.add_get(one.url, one.respond)
    mount_pages(app, {api.name: api.title for api in apis})
