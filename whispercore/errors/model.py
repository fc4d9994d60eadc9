"""What can be wrong with a model."""

from __future__ import annotations

from attrs import define

from whispercore.errors.root import WhispercoreError


class ModelError(WhispercoreError):
    """A model cannot be had or used."""

    code = "model_error"


@define
class UnknownModel(ModelError):
    """No model has this name; another one is never taken in its place."""

    code = "unknown_model"
    name: str
    similar: tuple[str, ...] = ()

    def __str__(self) -> str:
        hint = f" Did you mean {' or '.join(self.similar)}?" if self.similar else ""
        return f"no model is called {self.name!r}.{hint} `whispercore models list` shows them all."


@define
class ModelMissing(ModelError):
    """The model is known, but not on this machine, and downloading is off."""

    code = "model_missing"
    name: str

    def __str__(self) -> str:
        return (
            f"the model {self.name!r} is not on this machine, and offline mode forbids downloading it. "
            f"Run `whispercore models pull {self.name}` where there is a network, or add the file with "
            f"`whispercore models add {self.name} FILE`."
        )


@define
class ModelNotAvailable(ModelError):
    """The model is known, but not on the server, which does not fetch any by itself."""

    code = "model_not_available"
    name: str
    available: tuple[str, ...] = ()
    """Those that can be used."""

    def __str__(self) -> str:
        return f"the model {self.name!r} is not on this server; it has {', '.join(self.available)}"


@define
class ModelDamaged(ModelError):
    """The file is not a whisper.cpp model, or not a whole one."""

    code = "model_damaged"
    path: str
    reason: str
    remedy: str = ""
    """What to do, where we know."""

    def __str__(self) -> str:
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.path} cannot be used as a model: {self.reason}{remedy}"


@define
class ModelInUse(ModelError):
    """Another process holds the lock of this model for too long."""

    code = "model_in_use"
    name: str
    waited_s: float

    def __str__(self) -> str:
        return f"another process has been working on the model {self.name!r} for {self.waited_s:.0f} s; try again later"


@define
class DownloadFailed(ModelError):
    """The hub could not be reached, refused, or broke off more often than we try."""

    code = "download_failed"
    url: str
    reason: str
    resumable: bool = True
    """False when trying again will not help."""

    def __str__(self) -> str:
        again = " What has arrived is kept; run the same command again to go on." if self.resumable else ""
        return f"{self.url} could not be downloaded: {self.reason}.{again}"


@define
class ChecksumMismatch(ModelError):
    """The bytes that arrived are not those that were published."""

    code = "checksum_mismatch"
    url: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return (
            f"{self.url} has the checksum {self.actual}, not {self.expected}; the download was deleted. "
            "Try again; if it happens twice, the server or a proxy alters the file."
        )


@define
class NoSpace(ModelError):
    """The disk has no room for the model."""

    code = "no_space"
    path: str
    needed_bytes: int
    free_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.path} has {self.free_bytes / 1e6:,.0f} MB free, but {self.needed_bytes / 1e6:,.0f} MB are needed. "
            "Free some space, or set WHISPERCORE_MODELS to a folder on another disk."
        )
