"""What the pages of the documents load is allowed by the policy that the server sends with them."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest

from tests.visitor import Visitor

LOADS = {("script", "src"): "script-src", ("img", "src"): "img-src", ("iframe", "src"): "frame-src"}
LINKS = {"stylesheet": "style-src", "icon": "img-src"}


class Loaded(HTMLParser):
    """What a page loads, or has in itself, each with the directive that it needs."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sources: list[tuple[str, str]] = []
        self.inline: list[tuple[str, str]] = []
        self._within = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attributes}
        self._within = tag
        self.sources += [(LOADS[tag, name], value) for name, value in told.items() if (tag, name) in LOADS]
        if tag == "link":
            self.sources.append((LINKS[told["rel"]], told["href"]))
        self.inline += [("script-src", value) for name, value in told.items() if name.startswith("on")]
        self.inline += [("style-src", value) for name, value in told.items() if name == "style"]

    def handle_endtag(self, _: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style"):
            self.inline.append((f"{self._within}-src", data))


def allowed(policy: str) -> dict[str, list[str]]:
    directives = [directive.split() for directive in policy.split(";")]
    return {name: sources for name, *sources in directives}


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_a_page_may_load_all_that_it_needs(page: str, nobody: Visitor) -> None:
    answer = nobody.get(page)
    policy = allowed(answer.headers["Content-Security-Policy"])

    def is_allowed(directive: str, url: str) -> bool:
        sources, there = policy.get(directive, policy["default-src"]), urlsplit(urljoin(nobody.server.url + page, url))
        is_own = f"{there.scheme}://{there.netloc}" == nobody.server.url
        return "'self'" in sources if is_own else f"{there.scheme}:" in sources

    loaded = Loaded(answer.text)
    assert {directive for directive, _ in loaded.sources} >= {"script-src", "style-src"}
    for directive, url in loaded.sources:
        assert is_allowed(directive, url), url
        if directive == "style-src":
            sheet = nobody.get(urlsplit(urljoin(nobody.server.url + page, url)).path).text
            for inner in re.findall(r"url\([\"']?([^\"')]+)", sheet):
                assert is_allowed("img-src", inner), inner
                assert is_allowed("font-src", inner), inner
    for directive, text in loaded.inline:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert {"'unsafe-inline'", f"'sha256-{digest}'"} & set(policy[directive]), text
    assert is_allowed("connect-src", "openapi.json"), "the document itself"
    assert "'unsafe-inline'" not in policy["script-src"]
