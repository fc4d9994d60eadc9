"""``/docs`` (Swagger UI) and ``/redoc`` (ReDoc), from files that lie here: nothing is loaded from elsewhere."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from typing import Final

from aiohttp import web

from whispercore_server.openapi.fixed import FOREVER, Fixed

ASSETS: Final[Traversable] = files("whispercore_server") / "assets"
PAGES: Final = ("docs", "redoc")
_SOURCES: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",  # both set styles from their scripts
    "img-src": "'self' data:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "worker-src": "blob:",  # ReDoc searches in one
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
POLICY: Final = "; ".join(f"{what} {where}" for what, where in _SOURCES.items())
"""The Content-Security-Policy of both pages: nothing from elsewhere, and no script inside a page."""
_MEDIA_TYPES: Final = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


def mount_pages(app: web.Application, apis: Mapping[str, str]) -> None:
    """Add both pages and all that they load.

    Args:
        app: The application.
        apis: Titles of the APIs that have a document, by name.
    """
    for page in PAGES:
        text = Template((ASSETS / f"{page}.html").read_text("utf-8")).substitute(choices=_choices(page, apis))
        html = Fixed.of(text.encode(), "text/html; charset=utf-8", {"Content-Security-Policy": POLICY})
        app.router.add_get(f"/{page}", html.respond)
        app.router.add_get(f"/{page}/", _without_slash)
    for path, asset in _assets():
        app.router.add_get(f"/docs/assets/{path}", asset.respond)


def vendored() -> Mapping[str, Mapping[str, str]]:
    """What others made among the assets: by its path there, with version, licence and SHA-256 as published."""
    found: dict[str, dict[str, str]] = tomllib.loads((ASSETS / "vendored.toml").read_text("utf-8"))
    return found


def _assets() -> Iterator[tuple[str, Fixed]]:
    for path in vendored():
        packed = ASSETS.joinpath(f"{path}.gz").read_bytes()
        yield path, Fixed(packed=packed, media_type=_media_type(path), caching=FOREVER)
    for name in ("docs.js", "redoc.js", "pages.css"):
        yield name, Fixed.of((ASSETS / name).read_bytes(), _media_type(name))


def _media_type(path: str) -> str:
    return _MEDIA_TYPES[path[path.rindex(".") :]]


def _choices(page: str, apis: Mapping[str, str]) -> str:
    """Links to all documents; with a single API there is nothing to choose."""
    links = [(page, "All"), *((f"{page}?api={escape(name)}", title) for name, title in apis.items())]
    return "\n".join(f'<a href="{link}">{escape(title)}</a>' for link, title in links) if len(apis) > 1 else ""


async def _without_slash(http: web.Request) -> web.StreamResponse:
    # Relative, as everything on the pages: with a slash at the end they would look one level too deep.
    query = f"?{http.query_string}" if http.query_string else ""
    return web.Response(status=308, headers={"Location": f"../{http.path.rstrip('/').rsplit('/', 1)[-1]}{query}"})
