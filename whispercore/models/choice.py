"""``ENGINE:MODEL``: which engine computes with a model, where that is not the usual one; and models on servers."""

from __future__ import annotations

import difflib
import hashlib
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

from whispercore.errors import UnknownModel
from whispercore.models import folders
from whispercore.models.listing import StoredModel
from whispercore.settings import Settings

REMOTE: Final = "openai"
"""The engine whose models lie on a server."""

_CHOSEN: Final = re.compile(r"([a-z][a-z0-9-]{1,49}):(.+)", re.DOTALL)


@frozen(kw_only=True)
class RemoteModel:
    """A model of a server that the settings name."""

    name: str
    """As the server calls it."""
    sha256: str
    """Of its name and the server's address: what it is cannot be known."""

    @property
    def full_name(self) -> str:
        """As it is asked for here."""
        return f"{REMOTE}:{self.name}"

    @property
    def path(self) -> Path:
        """Its name, where engines are given a file."""
        return Path(self.name)


def parted(name: str) -> tuple[str | None, str]:
    """The engine before the colon, if there is one, and the model's own name."""
    match = _CHOSEN.fullmatch(name)
    return (match[1], match[2]) if match is not None else (None, name)


def engine_of(name: str, folder: Path) -> str:
    """The engine that would compute with a model; it is not looked into, and need not be here.

    Args:
        name: The name of a model, or ``ENGINE:NAME``.
        folder: Where the models are.
    """
    engine, alone = parted(name)
    if engine is not None:
        return engine
    return folders.ENGINE if folders.is_folder_model(folder / alone) else "whisper-cpp"


def remote(engine: str, name: str, settings: Settings) -> RemoteModel | None:
    """A model on a server; None for engines whose models are files.

    Args:
        engine: Before the colon.
        name: Behind it.
        settings: Which models there are.

    Raises:
        UnknownModel: The settings do not name it.
    """
    if engine != REMOTE:
        return None
    known = settings.openai_models
    if name not in known:
        similar = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        raise UnknownModel(f"{REMOTE}:{name}", tuple(f"{REMOTE}:{one}" for one in similar))
    identity = f"{settings.openai_url}\n{name}"
    return RemoteModel(name=name, sha256=hashlib.sha256(identity.encode()).hexdigest())


def remotes(settings: Settings) -> tuple[StoredModel, ...]:
    """The models of the server that the settings name; none where they name no server, or the network is off."""
    if settings.openai_url is None or settings.offline:
        return ()
    host = urlsplit(settings.openai_url).hostname
    return tuple(
        StoredModel(
            name=f"{REMOTE}:{name}",
            size_bytes=0,
            state="remote",
            path=None,
            languages="multilingual",
            note=f"computed by {host}",
        )
        for name in settings.openai_models
    )
