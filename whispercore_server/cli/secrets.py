"""Secrets that people type: never an argument, which everybody on the machine can read while the command runs."""

from __future__ import annotations

import sys
from typing import Final

import typer

_LONGEST: Final = 8192


def password() -> str:
    """A new password: asked for twice and not shown, or the first line of what comes through a pipe.

    Raises:
        InvalidOption: There is none.
    """
    from whispercore.errors import InvalidOption  # noqa: PLC0415 - the help does without it

    if sys.stdin.isatty():
        found: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return found
    try:
        line = sys.stdin.buffer.readline(_LONGEST).decode()
    except UnicodeDecodeError:
        raise InvalidOption("password", "what came on standard input is not UTF-8") from None
    line = line.removesuffix("\n").removesuffix("\r")
    if not line:
        raise InvalidOption("password", "none came on standard input, and there is no terminal to ask for it")
    return line
