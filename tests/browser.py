"""Somebody who comes with a browser: it keeps cookies, and says where its requests come from."""

from __future__ import annotations

from typing import Any, Self

import requests

from tests.live import Live
from tests.visitor import PASSWORD, Visitor


class Browser:
    """Keeps cookies, and says what browsers say."""

    def __init__(self, server: Live, prefix: str = "") -> None:
        self.server = server
        self.url = server.url + prefix
        self.session = requests.Session()
        self.session.headers["Sec-Fetch-Site"] = "same-origin"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def login(self, visitor: Visitor, **headers: str) -> requests.Response:
        body = {"username": visitor.username, "password": PASSWORD, "session": True}
        return self.session.post(f"{self.url}/auth/login", json=body, headers=headers, timeout=60)

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.url + path, timeout=60, **options)

    def token(self) -> str:
        return str(self.send("GET", "/admin/security/csrf-token").json()["csrf_token"])
