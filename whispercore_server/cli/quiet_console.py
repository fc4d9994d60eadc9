"""A console for tables that are written into pipes."""

from __future__ import annotations

from typing import NoReturn

from rich.console import Console

from whispercore_server.cli.exits import ExitCode, drop_stdout


class QuietConsole(Console):
    """A console that ends the program as SIGPIPE would, where rich says that it failed."""

    def on_broken_pipe(self) -> NoReturn:
        """Called when whoever read our output has closed it."""
        drop_stdout()
        raise SystemExit(ExitCode.BROKEN_PIPE)
