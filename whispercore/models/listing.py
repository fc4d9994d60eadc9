"""Which models there are: those on this machine, and those that could be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from attrs import frozen

from whispercore.errors import ModelDamaged
from whispercore.models import records
from whispercore.models.catalogue import MICRO, MICRO_PATH, CatalogueModel, Languages
from whispercore.models.verify import inspect

State = Literal["bundled", "downloaded", "added", "damaged", "available", "remote"]


@frozen(kw_only=True)
class StoredModel:
    """A model that is on this machine or could be."""

    name: str
    size_bytes: int
    """Size of its file; about, when it is not here; 0 when it lies on a server."""
    state: State
    """``added`` is a file that somebody registered; ``available`` one that can be downloaded; ``remote`` lies on a
    server that computes with it."""
    path: Path | None
    """Where it is; None when it is not here."""
    languages: Languages | None
    """None for a damaged file."""
    note: str = ""

    @property
    def downloaded(self) -> bool:
        """Whether it can be used without being downloaded."""
        return self.state in {"bundled", "downloaded", "added", "remote"}


def listed(catalogue: Mapping[str, CatalogueModel], local: Mapping[str, Path]) -> tuple[StoredModel, ...]:
    """The bundled model, the published ones in their order, and then the others that are here.

    Args:
        catalogue: What can be downloaded, by name.
        local: The files that are here, by name.
    """
    bundled = StoredModel(
        name=MICRO.name,
        size_bytes=MICRO_PATH.stat().st_size,
        state="bundled",
        path=MICRO_PATH,
        languages=MICRO.languages,
        note=MICRO.note,
    )
    published = (
        _local(name, local[name], model.note) if name in local else _available(model)
        for name, model in catalogue.items()
    )
    own = (_local(name, path, "") for name, path in local.items() if name not in catalogue)
    return (bundled, *published, *own)


def _available(model: CatalogueModel) -> StoredModel:
    return StoredModel(
        name=model.name,
        size_bytes=model.size_mb * 1_000_000,
        state="available",
        path=None,
        languages=model.languages,
        note=model.note,
    )


def _local(name: str, path: Path, note: str) -> StoredModel:
    record = records.read(records.record_path(path), records.Record)
    from_hub = record is not None and record.source == "hub"
    try:
        info = inspect(path)
    except ModelDamaged as error:
        size_bytes = path.stat().st_size if path.is_file() else 0
        return StoredModel(
            name=name, size_bytes=size_bytes, state="damaged", path=path, languages=None, note=error.reason
        )
    return StoredModel(
        name=name,
        size_bytes=info.size_bytes,
        state="downloaded" if from_hub else "added",
        path=path,
        languages="multilingual" if info.multilingual else "english",
        note=note if from_hub else "your own file",
    )
