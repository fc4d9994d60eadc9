"""Cookies, that of a browser's session above all: what they are called, where they are good, and how they are read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from aiohttp import web
from attrs import frozen

from whispercore.errors import NotAuthenticated
from whispercore.people.caller import RequestInfo
from whispercore_server.request_info import REQUEST_INFO

NAME: Final = "whispercore_session"
SIGN_IN: Final = "whispercore_sign_in"
"""Of a browser whose user is at a provider to sign in."""
_LONGEST: Final = 200
_SENDABLE: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+", re.ASCII)
"""What may stand in a path or a value without ending it."""


@frozen
class SessionCookies:
    """Writes and reads them.

    Args:
        secure: ``auto``, ``always`` or ``never``: whether they are for TLS only.
        lasts_s: How long a browser keeps one at most, in seconds. A session that nobody uses ends before that.
        name: What they are called.
    """

    secure: str
    lasts_s: int
    name: str = NAME

    def begun(self, request: RequestInfo, value: str) -> str:
        """A header ``Set-Cookie`` with a value."""
        return self._header(request, value, self.lasts_s)

    def ended(self, request: RequestInfo) -> str:
        """A header ``Set-Cookie`` that has the browser forget it."""
        return self._header(request, "", 0)

    def read(self, http: web.Request) -> str | None:
        """What a request has in its cookie; None if it has none.

        Raises:
            NotAuthenticated: There are several: somebody has put his own beside it.
        """
        return self.found(http[REQUEST_INFO], http.headers.getall("Cookie", []))

    def found(self, request: RequestInfo, headers: Iterable[str]) -> str | None:
        """The same in the headers ``Cookie`` of a request.

        Raises:
            NotAuthenticated: There are several.
        """
        name = self._name(request)
        found = [
            value.strip(" \t")
            for header in headers
            for pair in header.split(";")
            for key, _, value in [pair.partition("=")]
            if key.strip(" \t") == name
        ]
        if len(set(found)) > 1:
            raise NotAuthenticated(
                "there are several session cookies; delete the cookies of this site and log in again"
            )
        return found[0][:_LONGEST] if found and found[0] else None

    def _header(self, request: RequestInfo, value: str, lasts_s: int) -> str:
        parts = [
            f"{self._name(request)}={value}",
            f"Path={_path(request)}",
            f"Max-Age={lasts_s}",
            "HttpOnly",
            "SameSite=Lax",
            *(["Secure"] if self._is_secure(request) else []),
        ]
        return "; ".join(parts)

    def _name(self, request: RequestInfo) -> str:
        """With a prefix that browsers look at: nobody without TLS, and no other host, can set one of this name."""
        if not self._is_secure(request):
            return self.name
        return f"__Host-{self.name}" if _path(request) == "/" else f"__Secure-{self.name}"

    def _is_secure(self, request: RequestInfo) -> bool:
        return self.secure == "always" or (self.secure == "auto" and request.is_secure)


def _path(request: RequestInfo) -> str:
    return request.mounted_at if _SENDABLE.fullmatch(request.mounted_at) else "/"
