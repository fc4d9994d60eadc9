"""The tickets of a server on PostgreSQL, for the command line of procrastinate.

``procrastinate --app whispercore_server.tickets.app shell`` looks at them, by the settings of the environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whispercore.database.session import parsed
from whispercore.errors import InvalidOption
from whispercore.setting import load
from whispercore_server.settings import ServerSettings

if TYPE_CHECKING:
    from procrastinate import App

    app: App
    """Made when it is asked for."""


def __getattr__(name: str) -> App:
    if name != "app":
        raise AttributeError(name)
    url = parsed(load(ServerSettings).settings.database_url)
    if url.get_backend_name() != "postgresql":
        raise InvalidOption("database_url", "there are tickets on PostgreSQL only")
    from whispercore.jobs.tickets import tickets_app  # noqa: PLC0415 - an extra

    return tickets_app(url)
