"""What the commands that run a server have in common: options, settings, and the packages that they need."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from whispercore.setting import Loaded
    from whispercore_server.settings import ServerSettings

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="The folder of all state; made if need be.",
        show_default="$WHISPERCORE_DATA, else in the data folder of the user",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="A TOML file with settings; the environment and options go before it.",
        show_default="$WHISPERCORE_CONFIG",
    ),
]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", metavar="PLUGIN", help="Leave a plugin out. May be repeated."),
]


def loaded(arguments: Mapping[str, object], config: Path | None) -> Loaded[ServerSettings]:
    """The settings of a server.

    Args:
        arguments: What the command line says, by name; None where it says nothing.
        config: The file that the command line names.

    Raises:
        InvalidOption: One of them cannot work.
    """
    from whispercore.setting import load  # noqa: PLC0415 - the help does without it
    from whispercore_server.settings import ServerSettings  # noqa: PLC0415 - as above

    return load(ServerSettings, config=config, arguments=arguments)


@contextmanager
def needs_server() -> Iterator[None]:
    """Around the imports of what the extra ``server`` installs.

    Hardly any of it is garbage, and to look for some again and again took a seventh of the time.

    Raises:
        CannotStart: A package is missing.
    """
    gc.disable()
    try:
        yield
    except ModuleNotFoundError as error:
        from whispercore_server.errors import CannotStart  # noqa: PLC0415 - for errors only

        if error.name is None or error.name.startswith("whispercore"):
            raise
        raise CannotStart(
            f"the server needs packages that are not installed, such as {error.name}: pip install 'whispercore[server]'"
        ) from None
    finally:
        gc.enable()
