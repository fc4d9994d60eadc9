"""The models that tell voices apart: published ONNX files, each known by its checksum."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from attrs import frozen

from whispercore.errors import (
    ChecksumMismatch,
    InvalidOption,
    ModelDamaged,
    ModelInUse,
    ModelMissing,
    NoSpace,
    UnknownModel,
)
from whispercore.models import records
from whispercore.models.checksums import copy_synced
from whispercore.models.listing import StoredModel
from whispercore.models.pace import OnProgress, Pace
from whispercore.models.records import Record
from whispercore.settings import Settings

_HUB: Final = "https://huggingface.co/csukuangfj"
_EMBEDDINGS: Final = f"{_HUB}/speaker-embedding-models/resolve/0743f301363dec56491a490f6d6cbc9d67f9a3bf"
_SEGMENTATION: Final = f"{_HUB}/sherpa-onnx-pyannote-segmentation-3-0/resolve/9403a6902bb58e3d5ae8c7e77c3422de279db2e0"


@frozen(kw_only=True)
class VoiceModel:
    """A published model."""

    name: str
    part: Literal["segmentation", "embedding"]
    """``segmentation`` says where somebody speaks, ``embedding`` which voices are alike."""
    url: str
    size_bytes: int
    sha256: str
    note: str


VOICE_MODELS: Final[Mapping[str, VoiceModel]] = MappingProxyType(
    {
        model.name: model
        for model in (
            VoiceModel(
                name="pyannote-segmentation-3.0",
                part="segmentation",
                url=f"{_SEGMENTATION}/model.onnx",
                size_bytes=5_992_913,
                sha256="220ad67ca923bef2fa91f2390c786097bf305bceb5e261d4af67b38e938e1079",
                note="where somebody speaks (MIT)",
            ),
            VoiceModel(
                name="3dspeaker-eres2net-base",
                part="embedding",
                url=f"{_EMBEDDINGS}/3dspeaker_speech_eres2net_base_sv_zh-cn_3dspeaker_16k.onnx",
                size_bytes=39_593_761,
                sha256="1a331345f04805badbb495c775a6ddffcdd1a732567d5ec8b3d5749e3c7a5e4b",
                note="which voices are alike, the default (Apache 2.0)",
            ),
            VoiceModel(
                name="3dspeaker-campplus-en",
                part="embedding",
                url=f"{_EMBEDDINGS}/3dspeaker_speech_campplus_sv_en_voxceleb_16k.onnx",
                size_bytes=29_596_978,
                sha256="357a834f702b80161e5b981182c038e18553c1f2ca752ed6cec2052365d4129b",
                note="which voices are alike, trained on English (Apache 2.0)",
            ),
        )
    }
)
"""All that can be had, by name."""


class VoiceModels:
    """Those of this machine, in the same folder as the models of speech. Threads and processes may share it.

    Args:
        settings: Where the folder is, and whether to download.
        catalogue: The models, by name.
        pace: How patient downloads are.
        lock_timeout_s: How long to wait for another process that works on the same model.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        catalogue: Mapping[str, VoiceModel] = VOICE_MODELS,
        pace: Pace | None = None,
        lock_timeout_s: float = 600.0,
    ) -> None:
        self._offline = settings.offline
        self._folder = settings.models_dir
        self._catalogue = catalogue
        self._pace = pace or Pace()
        self._lock_timeout_s = lock_timeout_s

    def __contains__(self, name: object) -> bool:
        return name in self._catalogue

    @property
    def segmentation(self) -> str:
        """The name of the model that says where somebody speaks."""
        return next(one.name for one in self._catalogue.values() if one.part == "segmentation")

    def embedding(self, name: str) -> str:
        """The name of a model that says which voices are alike.

        Raises:
            InvalidOption: There is none of this name.
        """
        embeddings = [one.name for one in self._catalogue.values() if one.part == "embedding"]
        if name not in embeddings:
            raise InvalidOption("WHISPERCORE_VOICE_MODEL", f"{name!r} is not one of {', '.join(embeddings)}")
        return name

    def is_here(self, name: str) -> bool:
        """Whether a model is on this machine; it is not looked into."""
        return self._file(name).is_file()

    def get(self, name: str, *, on_progress: OnProgress | None = None) -> Path:
        """Where a model is; it is downloaded if it is not here, and its checksum is right.

        Raises:
            UnknownModel: No model has this name.
            ModelMissing: It would have to be downloaded, and that is off.
            ModelDamaged: Its file is not what was published.
            ModelInUse: Another process has been working on it for too long.
            DownloadFailed: It could not be downloaded.
            ChecksumMismatch: What was downloaded is not what was published.
            NoSpace: The disk has no room for it.
        """
        if not self.is_here(name):
            return self.pull(name, on_progress=on_progress)
        path = self._file(name)
        record = records.read(records.record_path(path), Record)
        # What is not recorded as it is now is read: once, where the folder can be written.
        if record is None or not record.matches(path.stat()) or record.sha256 != self._known(name).sha256:
            self.verify(name)
        return path

    def pull(self, name: str, *, on_progress: OnProgress | None = None, force: bool = False) -> Path:
        """Download a model, unless it is here.

        Raises:
            ModelError: As for ``get``.
            InvalidOption: The folder cannot be written.
        """
        from whispercore.models.download import download  # noqa: PLC0415 - it loads the HTTP client

        model, target = self._known(name), self._file(name)
        if self._offline and (force or not target.is_file()):
            raise ModelMissing(name)
        with self._changing(name):
            if force or not target.is_file():
                download(
                    model.url, target, sha256=model.sha256, on_progress=on_progress, pace=self._pace, inspected=False
                )
        return self.get(name)

    def add(self, name: str, path: Path) -> Path:
        """Copy the file of a published model into the store, for machines without a network.

        Raises:
            UnknownModel: No model has this name.
            ModelDamaged: The file cannot be read.
            ChecksumMismatch: It is another one.
            NoSpace: The disk has no room for the copy.
            InvalidOption: The folder cannot be written.
        """
        model, target = self._known(name), self._file(name)
        actual = _sha256(path)
        if actual != model.sha256:
            raise ChecksumMismatch(str(path), model.sha256, actual)
        with self._changing(name):
            if model.size_bytes > (free := shutil.disk_usage(self._folder).free):
                raise NoSpace(str(self._folder), model.size_bytes, free)
            copy = self._folder / f".{name}.add.tmp"
            try:
                records.install(copy, target, sha256=copy_synced(path, copy), source="added")
            finally:
                copy.unlink(missing_ok=True)
        return self.get(name)

    def verify(self, name: str) -> str:
        """Read a model from end to end, and give its SHA-256, which is the published one.

        Raises:
            UnknownModel: No model has this name.
            ModelMissing: It is not here.
            ModelDamaged: It is another one.
        """
        model, path = self._known(name), self._file(name)
        if not path.is_file():
            raise ModelMissing(name)
        actual = _sha256(path)
        if actual != model.sha256:
            raise ModelDamaged(
                str(path),
                f"its checksum is {actual}, and that of what was published {model.sha256}",
                f"`whispercore models pull {name} --force` downloads it again",
            )
        try:
            with self._changing(name):
                records.note(path, sha256=actual, source="found")
        except InvalidOption:
            pass  # a folder that cannot be written, such as that of an image with models in it
        return actual

    def remove(self, name: str) -> None:
        """Delete a model, or what there is of a download that was broken off.

        Raises:
            UnknownModel: No model has this name.
            InvalidOption: It is not here, or the folder cannot be written.
        """
        self._known(name)
        target = self._file(name)
        begun = target.with_name(target.name + ".part")
        if not target.is_file() and not begun.is_file():
            raise InvalidOption("name", f"{name!r} is not on this machine, so there is nothing to remove")
        with self._changing(name):
            for path in (target, records.record_path(target), begun, begun.with_name(begun.name + ".json")):
                path.unlink(missing_ok=True)

    def list(self) -> Sequence[StoredModel]:
        """Every model that is here or can be downloaded."""
        return [self._listed(model) for model in self._catalogue.values()]

    def _listed(self, model: VoiceModel) -> StoredModel:
        path = self._file(model.name)
        here = path.is_file()
        return StoredModel(
            name=model.name,
            size_bytes=model.size_bytes,
            state="downloaded" if here else "available",
            path=path if here else None,
            languages=None,
            note=model.note,
        )

    def _known(self, name: str) -> VoiceModel:
        if name not in self._catalogue:
            raise UnknownModel(name)
        return self._catalogue[name]

    def _file(self, name: str) -> Path:
        return self._folder / f"{self._known(name).name}.onnx"

    @contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        from filelock import FileLock, Timeout  # noqa: PLC0415 - needed by few processes

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / f".{name}.lock", timeout=self._lock_timeout_s):
                yield
        except Timeout:
            raise ModelInUse(name, self._lock_timeout_s) from None
        except OSError as error:
            raise InvalidOption(
                "WHISPERCORE_MODELS", f"the folder {self._folder} cannot be written ({error.strerror or error})"
            ) from error


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelDamaged(str(path), f"it cannot be read ({error.strerror or error})") from error
