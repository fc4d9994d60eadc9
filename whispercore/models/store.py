"""The models of this machine: found by name, downloaded when they are missing, verified before anybody uses them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve, frozen

from whispercore.errors import InvalidOption, ModelDamaged, ModelMissing, UnknownModel
from whispercore.models import checksums, choice, folders, records
from whispercore.models.catalogue import CATALOGUE, MICRO, MICRO_PATH, CatalogueModel
from whispercore.models.directory import SEEN, ModelDirectory, is_name
from whispercore.models.listing import StoredModel, listed
from whispercore.models.pace import OnProgress, Pace
from whispercore.models.records import Record
from whispercore.models.seen import checksum
from whispercore.models.verify import ModelBytes, ModelInfo, inspect
from whispercore.settings import Settings


@frozen(kw_only=True)
class ModelFile:
    """A model on this machine that has passed every check."""

    name: str
    path: Path
    sha256: str
    """Checksum of the file, in hexadecimal."""
    size_bytes: int
    """0 for one that lies on a server."""
    info: ModelInfo | None
    """What its header says; None for models that are not whisper.cpp's."""
    engine: str = "whisper-cpp"
    """The engine that it is for."""

    @property
    def is_remote(self) -> bool:
        """Whether it lies on a server, where the same name may be another model tomorrow."""
        return not self.size_bytes

    @property
    def window_s(self) -> float:
        """Length of the windows it does best with, in seconds; no limit where that is the engine's affair."""
        return self.info.window_s if self.info is not None else math.inf


class ModelStore:
    """The models of this machine.

    Several threads and processes may use the same folder at once. Reading needs no right to write to it.

    Args:
        settings: Where the folder is, and whether and where to download.
        catalogue: The models that can be downloaded, by name.
        pace: How patient downloads are.
        lock_timeout_s: How long to wait for another process that works on the same model.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        catalogue: Mapping[str, CatalogueModel] = CATALOGUE,
        pace: Pace | None = None,
        lock_timeout_s: float = 600.0,
    ) -> None:
        self._settings = settings
        self._folder = settings.models_dir
        self._catalogue = catalogue
        self._pace = pace or Pace()
        self._directory = ModelDirectory(settings.models_dir, lock_timeout_s)

    def get(self, name_or_path: str | Path, *, on_progress: OnProgress | None = None) -> ModelFile:
        """A model by name or path, verified; downloaded first when it is published and not here.

        Callers who pass on what strangers ask for use ``named``, which never looks outside the store.

        Args:
            name_or_path: A ``Path``; a string with a slash, or one that ends in ``.bin`` and exists, is a path too;
                any other is a name. ``ENGINE:`` before it chooses the engine.
            on_progress: Called during a download.

        Raises:
            UnknownModel: No model has this name.
            ModelMissing: It would have to be downloaded, and that is off.
            ModelDamaged: The file is not a whole model, or has changed since it came.
            ModelInUse: Another process has been working on it for too long.
            DownloadFailed: It could not be downloaded.
            ChecksumMismatch: What was downloaded is not what was published.
            NoSpace: The disk has no room for it.
        """
        if isinstance(name_or_path, Path):
            return self._outside(name_or_path.stem, name_or_path)
        engine, name = choice.parted(name_or_path)
        if engine is not None:
            return self._for_engine(engine, name, lambda: self.get(name, on_progress=on_progress))
        path = Path(name_or_path)
        if "/" in name_or_path or (name_or_path.endswith(".bin") and path.is_file()):
            return self._outside(path.stem, path)
        return self.named(name_or_path, on_progress=on_progress)

    def named(self, name: str, *, on_progress: OnProgress | None = None) -> ModelFile:
        """The same as ``get``, for names only.

        Args:
            name: The name of a model.
            on_progress: Called during a download.

        Raises:
            ModelError: As for ``get``.
        """
        engine, alone = choice.parted(name)
        if engine is not None:
            return self._for_engine(engine, alone, lambda: self.named(alone, on_progress=on_progress))
        if name == MICRO.name:
            return self._outside(name, MICRO_PATH)
        if self._file(name).is_file():
            return self._stored(name)
        if folders.is_folder_model(self._folder / name):
            return self._stored_folder(name)
        return self.pull(name, on_progress=on_progress)

    def is_here(self, name: str) -> bool:
        """Whether a model is on this machine; it is not looked into.

        Args:
            name: The name of a model.

        Raises:
            UnknownModel: No model has this name.
        """
        engine, alone = choice.parted(name)
        if engine is not None:
            away = choice.remote(engine, alone, self._settings)
            if away is not None and not choice.remotes(self._settings):
                raise UnknownModel(name)
            return away is not None or self.is_here(alone)
        if name == MICRO.name or self._file(name).is_file() or folders.is_folder_model(self._folder / name):
            return True
        if name not in self._catalogue:
            raise UnknownModel(name, self._similar(name))
        return False

    def pull(self, name: str, *, on_progress: OnProgress | None = None, force: bool = False) -> ModelFile:
        """Download a model, unless it is here.

        Args:
            name: The name of a published model.
            on_progress: Called during the download.
            force: Download it even when it is here, and replace what has the name.

        Raises:
            ModelError: As for ``get``.
            InvalidOption: ``force`` in offline mode, or a folder that cannot be written.
        """
        if name == MICRO.name:
            return self.named(name)
        target = self._file(name)
        here = target.is_file()
        if here and (not force or name not in self._catalogue):
            return self._stored(name)
        if not force and folders.is_folder_model(self._folder / name):
            return self._stored_folder(name)
        if name not in self._catalogue:
            raise UnknownModel(name, self._similar(name))
        if self._settings.offline:
            raise InvalidOption("force", "offline mode forbids downloading") if here else ModelMissing(name)
        with self._directory.changing(name):
            if force or not target.is_file():
                self._download(self._catalogue[name], target, on_progress)
                folders.remove(self._folder / name)
        return self._stored(name)

    def add(self, name: str, path: Path, *, replace: bool = False) -> ModelFile:
        """Register a model of one's own under a name, by copying it into the store.

        The name may be that of a published model; one's own is then used in its place.

        Args:
            name: Letters, digits, ``.``, ``_`` and ``-``.
            path: The file, or the folder of a model of CTranslate2.
            replace: Whether a model that has the name already may be replaced.

        Raises:
            InvalidOption: The name cannot be used, or is taken, or the folder cannot be written.
            ModelDamaged: It is not a whole model.
            ModelInUse: Another process has been working on this name for too long.
            NoSpace: The disk has no room for the copy.
        """
        self._directory.check_new(name)
        if path.is_dir():
            return self._install_folder(name, path, replace=replace)
        size_bytes = inspect(path).size_bytes
        return self._install(name, size_bytes, lambda copy: checksums.copy_synced(path, copy), replace=replace)

    def quantize(
        self,
        name_or_path: str | Path,
        kind: str,
        *,
        name: str | None = None,
        replace: bool = False,
        on_progress: OnProgress | None = None,
    ) -> ModelFile:
        """Register a copy of a model whose weights have fewer bits.

        Args:
            name_or_path: The model, as for ``get``.
            kind: One of ``whispercore.models.quantize.KINDS``.
            name: That of the copy; that of the model and the kind if left out, such as ``small-q5_0``.
            replace: Whether a model that has the name already may be replaced.
            on_progress: Called during a download.

        Raises:
            InvalidOption: As for ``add``; or the model is not one of whisper.cpp, is quantised already, or cannot
                be stored in this form.
            ModelError: As for ``get``.
        """
        from whispercore.models import quantize  # noqa: PLC0415 - it loads ctypes, for few processes

        model = self.get(name_or_path, on_progress=on_progress)
        if model.info is None:
            raise InvalidOption("model", f"{model.name!r} is for {model.engine}; only models of whisper.cpp can be")
        planned = quantize.plan(model.path, kind)
        size_bytes = model.size_bytes - planned.saved_bytes
        name = name or f"{model.name}-{kind}"
        self._directory.check_new(name)
        smaller = quantize.pieces(model.path, planned)
        return self._install(
            name, size_bytes, lambda copy: checksums.write_synced(smaller, copy, size_bytes), replace=replace
        )

    def remove(self, name: str) -> None:
        """Delete a model from the store, or what there is of a download that was broken off.

        Args:
            name: The name of a model in the store.

        Raises:
            InvalidOption: It is part of this package, is not here, or the folder cannot be written.
            UnknownModel: No model has this name.
            ModelInUse: Another process has been working on it for too long.
        """
        if name == MICRO.name:
            raise InvalidOption("name", f"{name!r} is part of this package and cannot be removed")
        target = self._file(name)
        begun = target.with_name(target.name + ".part")
        if not target.is_file() and not begun.is_file() and not folders.is_folder_model(self._folder / name):
            if name in self._catalogue:
                raise InvalidOption("name", f"{name!r} is not on this machine, so there is nothing to remove")
            raise UnknownModel(name, tuple(difflib.get_close_matches(name, self._directory.names())))
        with self._directory.changing(name):
            for path in (target, records.record_path(target), begun, begun.with_name(begun.name + ".json")):
                path.unlink(missing_ok=True)
            folders.remove(self._folder / name)

    def verify(self, name: str) -> ModelFile:
        """Read a model from end to end, and compare it with the checksum that was recorded when it came.

        Args:
            name: The name of a model in the store.

        Raises:
            UnknownModel: The store has no such model.
            ModelDamaged: It is not what it was.
            ModelInUse: Another process has been working on it for too long.
        """
        if name == MICRO.name:
            return self._outside(name, MICRO_PATH)
        if not self._file(name).is_file():
            if folders.is_folder_model(self._folder / name):
                return self._stored_folder(name, verify=True)
            raise UnknownModel(name, self._similar(name))
        with self._advising(name):
            return self._read_again(name, trust_status=False)

    def list(self) -> tuple[StoredModel, ...]:
        """Every model that is here or can be downloaded, the local ones included, in the catalogue's order."""
        here = listed(self._catalogue, {name: self._file(name) for name in self._directory.names()})
        return (*here, *folders.listed(self._folder), *choice.remotes(self._settings))

    def _install(self, name: str, size_bytes: int, write: Callable[[Path], str], *, replace: bool) -> ModelFile:
        with self._replacing(name, size_bytes, replace=replace):
            copy = self._folder / f".{name}.add.tmp"
            try:
                sha256 = write(copy)
                inspect(copy)
                folders.remove(self._folder / name)
                records.install(copy, self._file(name), sha256=sha256, source="added")
            finally:
                copy.unlink(missing_ok=True)
        return self._stored(name)

    def _install_folder(self, name: str, path: Path, *, replace: bool) -> ModelFile:
        with self._replacing(name, folders.size_bytes(path), replace=replace):
            folders.install(path, self._folder / name, self._file(name))
        return self._stored_folder(name)

    @contextmanager
    def _replacing(self, name: str, size_bytes: int, *, replace: bool) -> Iterator[None]:
        with self._directory.changing(name):
            if not replace and (self._file(name).is_file() or folders.is_folder_model(self._folder / name)):
                raise InvalidOption("name", f"a model called {name!r} is already here; --replace replaces it")
            self._directory.check_space(size_bytes)
            yield

    def _stored_folder(self, name: str, *, verify: bool = False) -> ModelFile:
        path = self._folder / name
        with self._advising(name):
            sha256, size = folders.verified(path) if verify else folders.stored(path, self._folder / SEEN)
        return ModelFile(name=name, path=path, sha256=sha256, size_bytes=size, info=None, engine=folders.ENGINE)

    def _for_engine(self, engine: str, name: str, find: Callable[[], ModelFile]) -> ModelFile:
        away = choice.remote(engine, name, self._settings)
        if away is not None:
            return ModelFile(
                name=away.full_name, path=away.path, sha256=away.sha256, size_bytes=0, info=None, engine=engine
            )
        return evolve(find(), engine=engine)

    def _outside(self, name: str, path: Path) -> ModelFile:
        if folders.is_folder_model(path):
            sha256, size = folders.checked(path, self._folder / SEEN)
            return ModelFile(name=name, path=path, sha256=sha256, size_bytes=size, info=None, engine=folders.ENGINE)
        with ModelBytes(path) as model:
            info = checksums.inspected_once(model)
            sha256 = checksums.hashed_once(model, lambda: checksum(model, self._folder / SEEN))
            return _model_file(name, model, sha256, info)

    def _stored(self, name: str) -> ModelFile:
        path = self._file(name)
        with self._advising(name):
            with ModelBytes(path) as model:
                info = checksums.inspected_once(model)
                record = records.read(records.record_path(path), Record)
                if record is not None and record.matches(model.status):
                    return _model_file(name, model, record.sha256, info)
            return self._read_again(name, trust_status=True)

    @contextmanager
    def _advising(self, name: str) -> Iterator[None]:
        """Where a file of the store is damaged, say how to have a whole one."""
        try:
            yield
        except ModelDamaged as error:
            if name in self._catalogue:
                error.remedy = f"`whispercore models pull {name} --force` downloads it again"
            else:
                error.remedy = f"`whispercore models add {name} FILE --replace` puts another one in its place"
            raise

    def _read_again(self, name: str, *, trust_status: bool) -> ModelFile:
        path = self._file(name)
        try:
            # Whoever holds the lock may be replacing file and record; only then do the two not belong together.
            with self._directory.lock(name), ModelBytes(path) as model:
                info = model.inspect()
                return _model_file(name, model, checksums.recorded_anew(model, trust_status=trust_status), info)
        except OSError:
            return self._without_a_lock(name, trust_status=trust_status)

    def _without_a_lock(self, name: str, *, trust_status: bool) -> ModelFile:
        """In a folder that cannot be written, such as that of an image with models in it."""
        path = self._file(name)
        while True:
            with ModelBytes(path) as model:
                try:
                    info = model.inspect()
                    actual = checksums.hashed_once(model, model.sha256) if trust_status else model.sha256()
                    sha256 = checksums.compared(model, records.read(records.record_path(path), Record), actual)
                except ModelDamaged:
                    if model.is_current:
                        raise
                    continue  # somebody who may write replaced it meanwhile
                return _model_file(name, model, sha256, info)

    def _download(self, model: CatalogueModel, target: Path, on_progress: OnProgress | None) -> None:
        from whispercore.models.download import download  # noqa: PLC0415 - it loads the HTTP client

        download(model.url(self._settings.hub), target, sha1=model.sha1, on_progress=on_progress, pace=self._pace)

    def _file(self, name: str) -> Path:
        if not is_name(name):
            raise UnknownModel(name, self._similar(name))
        return self._directory.file(name)

    def _similar(self, name: str) -> tuple[str, ...]:
        known = {MICRO.name, *self._catalogue, *self._directory.names()}
        return tuple(difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5))


def _model_file(name: str, model: ModelBytes, sha256: str, info: ModelInfo) -> ModelFile:
    return ModelFile(name=name, path=model.path, sha256=sha256, size_bytes=info.size_bytes, info=info)
