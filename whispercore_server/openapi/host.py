"""Documents and pages in an application: ``/openapi.json``, one document for each API, ``/docs`` and ``/redoc``.

aiohttp-apispec hosts the documents. Its release for OpenAPI 2 walks the routes for decorators, changes what these have
stored and keeps state under plain text in the application; of all that, only its shell is used here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson
from aiohttp import web
from aiohttp_apispec import AiohttpApiSpec
from apispec import APISpec

from whispercore.contract.group import Api
from whispercore_server.openapi.document import HEADERS, OPENAPI, SECURITY, Document, Part, document
from whispercore_server.openapi.fixed import Fixed
from whispercore_server.openapi.pages import mount_pages

ALL: Final = "/openapi.json"


class OpenApi31(AiohttpApiSpec):  # type: ignore[misc]  # it has no types
    """A document that was made elsewhere, hosted by aiohttp-apispec.

    Args:
        made: The document.
        url: Its path.
    """

    def __init__(self, made: Document, url: str) -> None:
        super().__init__(url=url, title=made.title, version=made.version)
        whole: dict[str, Any] = {"servers": [{"url": made.root}], "tags": made.tags, "x-tagGroups": made.tag_groups}
        self.spec = APISpec(title=made.title, version=made.version, openapi_version=OPENAPI, **whole)
        components = self.spec.components
        for path, method, operation in made.paths:
            self.spec.path(path=path, operations={method: operation})
        for add, pieces in (
            (components.schema, made.schemas),
            (components.response, made.responses),
            (components.header, HEADERS),
            (components.security_scheme, SECURITY),
        ):
            for name, piece in pieces.items():
                add(name, piece)

    def register(self, app: web.Application, in_place: bool = True) -> None:
        """Serve it, written once."""
        del in_place
        body = orjson.dumps(self.swagger_dict())
        app.router.add_get(self.url, Fixed.of(body, "application/json").respond)


def mount_documents(app: web.Application, apis: Sequence[Api], *, version: str) -> None:
    """Add the documents of these APIs, and the pages that show them, to an application.

    All addresses in them are relative, so that it does not matter where another application mounts this one.

    Args:
        app: The application.
        apis: What it serves.
        version: Of the server.

    Raises:
        TypeError: An API cannot be described.
    """
    parts = [Part.of(api) for api in apis]
    OpenApi31(document(parts, title="whispercore", version=version, root="."), ALL).register(app)
    for part in parts:
        one = document([part], title=part.api.title, version=part.api.version, root="..")
        OpenApi31(one, f"/openapi/{part.api.name}.json").register(app)
    mount_pages(app, {api.name: api.title for api in apis})
