"""Every endpoint of a server with all that belongs to it, for people: nothing is started to find it out."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

import attrs
from attrs import field, frozen

from whispercore.contract.endpoint import Alias, Channel, Operation, Raw, Stream
from whispercore.contract.group import Api
from whispercore_server.plugin import Plugin, marked
from whispercore_server.sources import ROOT, Place, answered_at, declared_at

FIRST: Final = "transcriber"
"""The API whose groups are attributes of a client itself."""
_ID: Final = re.compile(r"{(\w+)(?::([^{}]+))?}")


@frozen(kw_only=True)
class Entry:
    """An endpoint."""

    api: Api
    operation: Operation
    method: Callable[..., Any] | None = field(default=None, repr=False)
    """What answers it; None when it cannot be told without starting the plugin."""

    @property
    def name(self) -> str:
        """With that of its API."""
        return f"{self.api.name}.{self.operation.name}"

    @property
    def paths(self) -> Iterator[tuple[str, Alias | None]]:
        """Its own path and its aliases."""
        yield self.operation.path, None
        yield from ((alias.path, alias) for alias in self.operation.aliases)

    @property
    def methods(self) -> tuple[str, ...]:
        """Those of HTTP: HEAD comes with GET where there is a body to leave out."""
        alone = self.operation.method != "GET" or isinstance(self.operation, Stream | Channel | Raw)
        return (self.operation.method,) if alone else ("GET", "HEAD")

    @property
    def declared(self) -> Place | None:
        """Where it is declared."""
        return declared_at(self.operation)

    @property
    def answered(self) -> Place | None:
        """Where it is answered."""
        return None if self.method is None else answered_at(self.method)

    @property
    def tested(self) -> Path | None:
        """The file with its tests, as seen from the clone; None outside of one."""
        resource = self.operation.group.__module__.rpartition(".")[2]
        file = Path("tests", "api", self.api.name, f"test_{resource}.py")
        return file if (ROOT / file).is_file() else None

    @property
    def call(self) -> str:
        """The call on a client, with all that has to be given: ``client.jobs.cancel(job_id)``."""
        api = "" if self.api.name == FIRST else f"{self.api.name}."
        return f"client.{api}{self.operation.name}({', '.join(self._arguments())})"

    def _arguments(self) -> Iterator[str]:
        if isinstance(self.operation, Raw):
            yield from (f"{name}=…" for name, _ in _ID.findall(self.operation.path))
            return
        request = cast("type[attrs.AttrsInstance]", self.operation.request)
        for one in attrs.fields(request):
            if one.init and one.default is attrs.NOTHING:
                yield f"{one.name}=…" if one.kw_only else one.name


@frozen(kw_only=True)
class Match:
    """An endpoint that a path leads to."""

    entry: Entry
    path: str
    """The template that fits."""
    alias: Alias | None


def entries(plugins: Sequence[Plugin]) -> list[Entry]:
    """All endpoints of these plugins, in the order of their declaration."""
    return [
        Entry(api=api, operation=operation, method=methods.get(operation))
        for plugin in plugins
        for methods in (_methods(plugin),)
        for api in plugin.apis
        for operation in api.operations()
    ]


def matches(found: Sequence[Entry], path: str, method: str | None = None) -> list[Match]:
    """Where a path leads to; for each method the template with the fewest ids in it.

    Args:
        found: All endpoints.
        path: A path or a whole address, with real ids or with those of a template.
        method: Of HTTP; all if not given.
    """
    wanted = plain_path(path)
    best: dict[str, Match] = {}
    for entry in found:
        if method is not None and method.upper() not in entry.methods:
            continue
        for template, alias in entry.paths:
            now = best.get(entry.operation.method)
            fewer = now is None or len(_ID.findall(template)) < len(_ID.findall(now.path))
            if fewer and _pattern(template).fullmatch(wanted):
                best[entry.operation.method] = Match(entry=entry, path=template, alias=alias)
    return list(best.values())


def nearest(found: Sequence[Entry], path: str) -> list[str]:
    """The templates that look most like a path."""
    templates = dict.fromkeys(template for entry in found for template, _ in entry.paths)
    return difflib.get_close_matches(plain_path(path)[:500], templates, n=3, cutoff=0.4)


def plain_path(path: str) -> str:
    """A path without address, query and slash at the end."""
    return "/" + (urlsplit(path).path if "://" in path else re.split("[?#]", path)[0]).strip("/")


def _pattern(template: str) -> re.Pattern[str]:
    literal = iter(_ID.split("/" + template.strip("/")))
    made = re.escape(next(literal))
    for _, pattern, after in zip(literal, literal, literal, strict=True):
        made += f"(?:{pattern or '[^/]+'}){re.escape(after)}"
    return re.compile(made)


def _methods(plugin: Plugin) -> dict[Operation, Callable[..., Any]]:
    """By endpoint, as far as the classes are known where the plugin makes its handlers."""
    names = vars(sys.modules[plugin.handlers.__module__]).values()
    return {operation: method for kind in names if isinstance(kind, type) for operation, method in marked(kind)}
