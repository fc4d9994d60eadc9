"""What is written where: text on stdout, bars and complaints on stderr, on one terminal without a mess.

Rich is loaded by what needs it: a program that writes text into a pipe begins a good deal sooner without.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from rich.console import Console

Kind = Literal["error", "warning"]
_SPACES: Final = "\u00a0\u202f\u3000"
"""Spaces that typography needs, which Python counts as not printable."""
_STYLES: Final = {"error": "bold red", "warning": "bold yellow"}


def complain(kind: Kind, text: str, console: Console | None = None) -> None:
    """Write a line for people to stderr, or to a console that shares its terminal.

    Args:
        kind: Its first word.
        text: Taken as it is, without any markup; it may name files of any name.
        console: Where bars are moving now, which must not be written over.
    """
    from rich.console import Console  # noqa: PLC0415 - see the top
    from rich.text import Text  # noqa: PLC0415 - see the top

    line = Text.assemble((f"{kind}:", _STYLES[kind]), " ", printable(text))
    (console or Console(stderr=True)).print(line, soft_wrap=True, highlight=False)


def printable(text: str) -> str:
    """The text with escapes for what would move the cursor, change colours or could not be encoded.

    Names of files may contain anything, and what a child wrote before it died too.
    """
    return "".join(char if char.isprintable() or char in _SPACES else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


class Screen:
    """The terminals and pipes of this process.

    Args:
        bars: Whether bars are wanted; there are none unless stderr is a terminal.
    """

    def __init__(self, *, bars: bool) -> None:
        _encode_all()
        self.is_terminal = sys.stdout.isatty()
        """Whether a person reads what is written to stdout."""
        self.console: Console | None = None
        """Where bars are drawn; None when there are none."""
        self._shared = False
        if bars and sys.stderr.isatty():
            from rich.console import Console  # noqa: PLC0415 - see the top

            self._shared = self.is_terminal and _same_terminal()
            self.console = Console(file=sys.stdout) if self._shared else Console(file=sys.stderr)

    def write(self, text: str) -> None:
        """Write to stdout, at once."""
        if self._shared and self.console is not None:
            self.console.out(text, end="", highlight=False)
        else:
            sys.stdout.write(text)
            sys.stdout.flush()

    def note(self, text: str) -> None:
        """Write a line between the bars; nothing where there are none."""
        if self.console is not None:
            from rich.text import Text  # noqa: PLC0415 - see the top

            self.console.print(Text(printable(text), style="dim"), soft_wrap=True)

    def complain(self, kind: Kind, text: str) -> None:
        """Write an error or warning to stderr."""
        complain(kind, text, self.console)


def _same_terminal() -> bool:
    try:
        return os.path.samestat(os.fstat(sys.stdout.fileno()), os.fstat(sys.stderr.fileno()))
    except OSError:
        return False


def _encode_all() -> None:
    """Transcripts are UTF-8, whatever the locale says; a terminal of another kind shows what it can."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.isatty():
        sys.stdout.reconfigure(errors="replace")
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="strict", newline="\n")
