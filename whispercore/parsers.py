"""What the text of a setting means: a folder, a number, yes or no. ``ValueError`` says why it means nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[a-z0-9_.:-]+", re.ASCII)


def folder(text: str) -> Path:
    """A folder, where ``~`` is the user's home; it need not exist."""
    if not text or "\0" in text:
        raise ValueError(f"{text!r} names no folder")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{text!r} names a user that this machine does not have") from None


def flag(text: str) -> bool:
    """Yes or no."""
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError(f"{text!r} is neither yes nor no; use 1 or 0")


def word(text: str) -> str:
    """A name: anything that can be printed on one line."""
    if not text or not text.isprintable():
        raise ValueError(f"{text!r} is not a name")
    return text


def words(text: str) -> tuple[str, ...]:
    """Names with commas between, each once, in their order."""
    found = tuple(dict.fromkeys(word(one.strip()) for one in text.split(",") if one.strip()))
    if not found:
        raise ValueError(f"{text!r} has no name in it")
    return found


def key(text: str) -> str:
    """A secret that travels in a header of HTTP."""
    if not text.isascii() or not text.isprintable():
        raise ValueError("it has characters that no header may have")
    return text


def address(text: str) -> str:
    """An address of the web."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{text!r} is not an address that begins with https:// or http://")
    return text.rstrip("/")


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number within bounds."""

    def parse(text: str) -> int:
        # The length is looked at first: int() of very many digits is slow, and refused by Python.
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))) or not least <= int(text) <= most:
            raise ValueError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return parse


def seconds(text: str) -> float:
    """A length of time."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise ValueError(f"{text!r} is not a number of seconds, 0 or more")
    return number


def without_password(url: object) -> str:
    """An address for people: who may read a screen or a log need not know the password in it."""
    text = str(url)
    try:
        password = urlsplit(text).password
    except ValueError:
        return "***"
    return text.replace(f":{password}@", ":***@", 1) if password else text


def one_of(names: Collection[str]) -> Callable[[str], str]:
    """One of these names."""

    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(f"{text!r} is not one of {', '.join(names)}")
        return text

    return parse


def origins(text: str) -> tuple[str, ...]:
    """Origins of web pages, such as ``https://app.example.com``, with commas or spaces between."""
    return tuple(dict.fromkeys(origin(one) for one in text.replace(",", " ").split()))


def origin(text: str) -> str:
    """The origin of a web page as browsers write it."""
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        port, host, parts = None, "", urlsplit("")
    if parts.scheme not in _PORTS or _HOST.fullmatch(host) is None or parts.username is not None:
        raise ValueError(f"{text!r} is not an origin such as https://app.example.com; there are no wildcards")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(f"{text!r} has more than scheme, host and port, which no origin has")
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{'' if port in {None, _PORTS[parts.scheme]} else f':{port}'}"


def listed(values: object) -> str:
    """Several values for people."""
    return ", ".join(map(str, values)) if isinstance(values, tuple) and values else "none"
