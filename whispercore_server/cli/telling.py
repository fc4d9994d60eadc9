"""What a server says on stderr while it runs."""

from __future__ import annotations

from importlib.metadata import version

import typer
from attrs import frozen

from whispercore_server.cli.terminal import printable
from whispercore_server.settings import ServerSettings


@frozen
class Teller:
    """Tells people how a server is."""

    settings: ServerSettings

    def admin_key(self, key: str) -> None:
        """Show a new key."""
        _say("This server has an administrator now, with this API key. It is shown only once:", "", f"    {key}", "")

    def listening(self, url: str) -> None:
        """Show where it is."""
        _say(
            f"whispercore {version('whispercore')} at {url}",
            f"documents at {url}/docs, data in {printable(str(self.settings.data))}",
            "Ctrl-C stops it.",
        )

    def working(self) -> None:
        """Show what a worker does."""
        _say(
            f"whispercore {version('whispercore')} works on the jobs in {printable(str(self.settings.data))}, "
            f"{self.settings.slots} at once",
            "Ctrl-C stops it.",
        )

    def stopping(self) -> None:
        """Say that a signal came."""
        _say("Stopping; once more to stop at once.")

    def giving_up(self, after_s: int) -> None:
        """Say why it is not in order."""
        _say(f"It did not end in order within {after_s} s, and ends as it is: others go on with its jobs.")


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(line, err=True)
