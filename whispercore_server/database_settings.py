"""Settings of where everything but the bytes of recordings is: SQLite in the data folder, or PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from attrs import Attribute, Factory, field, frozen

from whispercore import parsers
from whispercore.errors import InvalidOption
from whispercore.setting import setting
from whispercore_server.upload_settings import UploadSettings

_MOST_CONNECTIONS: Final = 1000


def default_data_dir() -> Path:
    """The folder for a server's state when none is named: inside the user's data folder."""
    from platformdirs import user_data_path  # noqa: PLC0415 - needed by few processes

    return user_data_path("whispercore") / "server"


def _check_data(_: object, attribute: Attribute[Any], value: Path) -> None:
    if "?" in str(value):  # it begins the options in the address of a database, which would be made elsewhere
        raise InvalidOption(attribute.name, f"{value} has a question mark in it, which no database can")


def _password(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it has to be printable characters")
    return text


def _database_url(text: str) -> str:
    if "://" not in text:
        raise ValueError("it is not the address of a database, such as sqlite+aiosqlite:////srv/whispercore.db")
    return text


@frozen(kw_only=True)
class DatabaseSettings(UploadSettings):
    """What a server is told about its state."""

    data: Path = field(
        factory=default_data_dir,
        validator=_check_data,
        metadata=setting("WHISPERCORE_DATA", "The folder of all state: database, recordings, locks.", parsers.folder),
    )
    postgres_host: str | None = field(
        default=None,
        metadata=setting(
            "WHISPERCORE_POSTGRES_HOST",
            "The host of a PostgreSQL, or the folder of its socket; localhost where only its password is set.",
            parsers.word,
            aliases=("POSTGRES_HOST",),
        ),
    )
    postgres_port: int = field(
        default=5432,
        metadata=setting("WHISPERCORE_POSTGRES_PORT", "Its port.", parsers.whole(1, 65535), aliases=("POSTGRES_PORT",)),
    )
    postgres_db: str = field(
        default="whispercore",
        metadata=setting("WHISPERCORE_POSTGRES_DB", "Its database.", parsers.word, aliases=("POSTGRES_DB",)),
    )
    postgres_user: str = field(
        default="whispercore",
        metadata=setting("WHISPERCORE_POSTGRES_USER", "Its user.", parsers.word, aliases=("POSTGRES_USER",)),
    )
    postgres_password: str | None = field(
        default=None,
        repr=False,
        metadata=setting(
            "WHISPERCORE_POSTGRES_PASSWORD",
            "The password of that user.",
            _password,
            secret=True,
            aliases=("POSTGRES_PASSWORD",),
        ),
    )
    database_url: str = field(
        default=Factory(lambda self: self.usual_database, takes_self=True),
        repr=parsers.without_password,
        metadata=setting(
            "WHISPERCORE_DATABASE_URL",
            "The address of the database; when not set, PostgreSQL where its host or password is, else SQLite.",
            _database_url,
            show=parsers.without_password,
        ),
    )
    min_connections: int = field(
        default=5,
        metadata=setting(
            "WHISPERCORE_MIN_CONNECTIONS",
            "Connections to PostgreSQL that each process keeps.",
            parsers.whole(1, _MOST_CONNECTIONS),
        ),
    )
    max_connections: int = field(
        default=20,
        metadata=setting(
            "WHISPERCORE_MAX_CONNECTIONS",
            "Connections to PostgreSQL that each process has at most.",
            parsers.whole(1, _MOST_CONNECTIONS),
        ),
    )

    def __attrs_post_init__(self) -> None:
        if self.max_connections < self.min_connections:
            raise InvalidOption(
                "max_connections", f"{self.max_connections} is less than min_connections, {self.min_connections}"
            )

    @property
    def usual_database(self) -> str:
        """The address of the database when none is given."""
        wanted = self.postgres_host
        if wanted is None and self.postgres_password is not None:
            wanted = "localhost"
        if wanted is None:
            return f"sqlite+aiosqlite:///{self.data / 'whispercore.db'}"
        user = quote(self.postgres_user, safe="")
        if self.postgres_password is not None:
            user += f":{quote(self.postgres_password, safe='')}"
        name = quote(self.postgres_db, safe="")
        if wanted.startswith("/"):  # the folder of a socket
            at = urlencode({"host": wanted, "port": self.postgres_port})
            return f"postgresql+psycopg://{user}@/{name}?{at}"
        host = f"[{wanted}]" if ":" in wanted else wanted
        return f"postgresql+psycopg://{user}@{host}:{self.postgres_port}/{name}"

    @property
    def connections(self) -> tuple[int, int]:
        """To PostgreSQL: how many each process keeps, and how many it has at most."""
        return self.min_connections, self.max_connections
