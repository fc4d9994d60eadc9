"""The folder with the models of this machine: the names in it, and who may change it at the moment."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from whispercore.errors import InvalidOption, ModelInUse, NoSpace
from whispercore.models.catalogue import MICRO

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_RESERVED_ENDINGS = (".bin", ".json", ".part", ".lock", ".tmp")
"""Endings that the store gives to its own files."""
SEEN: Final = "seen"
"""The folder of what is known of models outside the store."""
CALIBRATIONS: Final = "calibrations"
"""The folder of how this machine is best used."""


class ModelDirectory:
    """A folder of models. Several threads and processes may use it at once.

    Args:
        path: The folder; it is made when something is to be written.
        lock_timeout_s: How long to wait for another process that works on the same model.
    """

    def __init__(self, path: Path, lock_timeout_s: float) -> None:
        self.path = path
        self._lock_timeout_s = lock_timeout_s

    def file(self, name: str) -> Path:
        """Where the file of a model is, or would be."""
        return self.path / f"{name}.bin"

    def names(self) -> tuple[str, ...]:
        """Those of the model files that are here, sorted."""
        names = (path.stem for path in self.path.glob("*.bin") if path.is_file())
        return tuple(sorted(name for name in names if is_name(name) and name != MICRO.name))

    def check_new(self, name: str) -> None:
        """Ask whether a model may have this name.

        Raises:
            InvalidOption: It may not.
        """
        if not is_name(name):
            raise InvalidOption(
                "name",
                f"{name!r} cannot be used; it needs 1 to 100 letters, digits, '.', '_' or '-', a letter or digit "
                f"first, and no ending such as {' or '.join(_RESERVED_ENDINGS)}",
            )
        if name.casefold() == MICRO.name:
            raise InvalidOption("name", f"{name!r} is the model in this package and cannot be replaced")
        if name.casefold() in (SEEN, CALIBRATIONS):
            raise InvalidOption("name", f"{name!r} is what the store calls a folder of its own; choose another one")

    def check_space(self, needed_bytes: int) -> None:
        """Ask whether the disk has room for so much.

        Raises:
            NoSpace: It has not.
        """
        if needed_bytes > (free := shutil.disk_usage(self.path).free):
            raise NoSpace(str(self.path), needed_bytes, free)

    @contextmanager
    def changing(self, name: str) -> Iterator[None]:
        """Nobody else changes this model until the block ends.

        Raises:
            InvalidOption: The folder cannot be written.
            ModelInUse: Another process has been working on it for too long.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with self.lock(name):
                yield
        except OSError as error:
            raise InvalidOption(
                "WHISPERCORE_MODELS", f"the folder {self.path} cannot be written ({error.strerror or error})"
            ) from error

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """The same, in a folder that is there.

        Raises:
            OSError: The folder cannot be written.
            ModelInUse: Another process has been working on it for too long.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415 - needed by few processes

        lock = FileLock(self.path / f".{name}.lock", timeout=self._lock_timeout_s)
        try:
            lock.acquire()
        except Timeout:
            raise ModelInUse(name, self._lock_timeout_s) from None
        try:
            yield
        finally:
            lock.release()


def is_name(name: str) -> bool:
    """Whether a model can have this name."""
    return _NAME.fullmatch(name) is not None and not name.lower().endswith(_RESERVED_ENDINGS)
