"""The samples of the seed documents, taken out by program, and how an answer is compared with one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

SEEDS = Path(__file__).parent / "seeds"
_HEADING = re.compile(r"^#{3,4} (GET|POST|PUT|PATCH|DELETE) (\S+)\s*$", re.MULTILINE)
_SAMPLE = re.compile(
    r"^(?:\*\*)?(Request|Response)\b[^*\n]*?(?:\((\d{3})\))?:?(?:\*\*:?[^\n]*)?\n```json\n(.*?)\n```",
    re.DOTALL | re.MULTILINE,
)
_ANY_HEADING = re.compile(r"^#{2,4} (.+?)\s*$", re.MULTILINE)
_EVENT = re.compile(r"event: (\w+)\ndata: (\{.*\})", re.DOTALL)
_CODE = re.compile(r"```(\w+)\n(.*?)\n```", re.DOTALL)
ANYTHING = "…"
"""Stands for what a sample leaves out (``[...]``)."""


@frozen
class Sample:
    """What a seed shows of one endpoint."""

    method: str
    path: str
    request: Json
    response: Json
    status: int | None
    """None when the seed does not say."""


def samples(seed: str) -> Iterator[Sample]:
    """All endpoints of a seed, with their samples; several times where the seed repeats itself."""
    text = (SEEDS / f"seed-{seed}.txt").read_text()
    heads = list(_HEADING.finditer(text))
    for number, head in enumerate(heads):
        end = heads[number + 1].start() if number + 1 < len(heads) else len(text)
        section = re.split(r"^#{1,3} ", text[head.end() : end], maxsplit=1, flags=re.MULTILINE)[0]
        request: Json = None
        response: Json = None
        status: int | None = None
        for kind, code, body in _SAMPLE.findall(section):
            value = _parsed(body)
            if kind == "Request":
                request = value
            elif response is None:
                response, status = value, int(code) if code else None
        yield Sample(head[1], head[2], request, response, status)


def sample(seed: str, method: str, path: str) -> Sample:
    """One endpoint's."""
    return next(one for one in samples(seed) if (one.method, one.path) == (method, path))


@frozen
class Block:
    """A piece of JSON that a seed shows."""

    heading: str
    """What it stands under."""
    event: str | None
    """Its name, where it is the data of a server-sent event."""
    value: Json


def blocks(seed: str) -> Iterator[Block]:
    """All JSON of a seed, whatever it is for, events among it."""
    text = (SEEDS / f"seed-{seed}.txt").read_text()
    headings = [(found.start(), found[1]) for found in _ANY_HEADING.finditer(text)]
    for found in _CODE.finditer(text):
        heading = [title for start, title in headings if start < found.start()][-1]
        event = _EVENT.match(found[2])
        if found[1] == "json":
            yield Block(heading, None, _parsed(found[2]))
        elif event is not None:
            yield Block(heading, event[1], _parsed(event[2]))


def error(seed: str, error_code: str) -> dict[str, Json]:
    """The error of this code that a seed shows."""
    values = (block.value for block in blocks(seed))
    return next(one for one in values if isinstance(one, dict) and one.get("error_code") == error_code)


def code(seed: str, language: str, containing: str) -> str:
    """A code block of a seed."""
    text = (SEEDS / f"seed-{seed}.txt").read_text()
    blocks: list[tuple[str, str]] = _CODE.findall(text)
    return next(body for kind, body in blocks if kind == language and containing in body)


def differences(expected: Json, actual: Json, at: str = "$") -> list[str]:
    """Where an answer lacks what a sample shows: a name, a JSON type, or any value at all."""
    if expected == ANYTHING:
        return []
    if _kind(expected) != _kind(actual):
        return [f"{at}: {_kind(expected)} in the sample, {_kind(actual)} here"]
    if isinstance(expected, dict) and isinstance(actual, dict):
        missing = [f"{at}.{name}: missing" for name in expected if name not in actual]
        inside = [
            line
            for name, value in expected.items()
            if name in actual
            for line in differences(value, actual[name], f"{at}.{name}")
        ]
        return missing + inside
    if isinstance(expected, list) and isinstance(actual, list) and expected:
        if not actual:
            return [f"{at}: empty"]
        return [line for i, one in enumerate(actual) for line in differences(expected[0], one, f"{at}[{i}]")]
    return []


def _parsed(text: str) -> Json:
    value: Json = json.loads(text.replace("[...]", f'"{ANYTHING}"'))
    return value


def _kind(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return {type(None): "null", str: "string", list: "list", dict: "object"}[type(value)]
