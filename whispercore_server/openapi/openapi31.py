"""A document of OpenAPI 3.1 as aiohttp-apispec hosts it.

Its release for OpenAPI 2 walks the routes for decorators, changes what these have stored and keeps state under plain
text in the application; of all that, only its shell is used here.
"""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web
from aiohttp_apispec import AiohttpApiSpec
from apispec import APISpec

from whispercore_server.openapi.document import HEADERS, OPENAPI, SECURITY, Document
from whispercore_server.openapi.fixed import Fixed


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
        app.router.add_get(self.url, self.written().respond)

    def written(self) -> Fixed:
        """The answer that it is."""
        return Fixed.of(orjson.dumps(self.swagger_dict()), "application/json")
