"""Collecting the findings; nothing is printed here, and nothing that fails stops the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final, Literal, TypeVar

from whispercore.engines.pool import declared, engine_names
from whispercore.errors import WhispercoreError
from whispercore.models.store import ModelStore
from whispercore.setting import Value, load
from whispercore.settings import TABLE, Settings
from whispercore_server.cli.doctor import machine, trial
from whispercore_server.cli.doctor.findings import DeclaredEngine, Extra, Model, Package, Problem, Report, Setting

_PACKAGES: Final = ("whispercore", "pywhispercpp", "av", "numpy")
_HIDDEN_EXTRAS: Final = frozenset({"all", "dev", "docs"})
"""Sums of the others, and those for developers."""
_OPTIONAL = re.compile(r"([A-Za-z0-9._-]+).*extra == ['\"]([a-z0-9-]+)['\"]")
_T = TypeVar("_T")


def collect() -> Report:
    """Look at everything."""
    problems: list[Problem] = []

    def tried(
        what: Literal["engine", "ctranslate2", "decoder", "settings", "models"], find: Callable[[], _T]
    ) -> _T | None:
        try:
            return find()
        except (WhispercoreError, OSError, RuntimeError) as error:
            problems.append(Problem(what=what, reason=str(error) or type(error).__name__))
            return None

    engine = tried("engine", trial.engine)
    ctranslate2 = tried("ctranslate2", trial.ctranslate2)
    decoder = tried("decoder", trial.decoder)
    loaded = tried("settings", lambda: load(Settings, table=TABLE))
    models = tried("models", lambda: _models(loaded.settings)) if loaded is not None else None
    return Report(
        packages=tuple(Package(name=name, version=_version(name)) for name in _PACKAGES),
        extras=_extras(),
        machine=machine.look(),
        engine=engine,
        engines=tuple(_engines()),
        ctranslate2=ctranslate2,
        decoder=decoder,
        nvidia=machine.nvidia_cards() if engine is None or engine.device == "cpu" else None,
        other_cards=machine.other_cards(),
        tools=machine.tools(),
        settings=_listed(loaded.values) if loaded is not None else None,
        models=models,
        problems=tuple(problems),
    )


def _engines() -> Iterator[DeclaredEngine]:
    for name in sorted(engine_names()):
        with suppress(ImportError):
            can = declared(name)
            yield DeclaredEngine(name=name, options=can.options if can is not None else None)


def _models(settings: Settings) -> tuple[Model, ...]:
    here = (model for model in ModelStore(settings).list() if model.state != "available")
    return tuple(Model(name=one.name, state=one.state, size_bytes=one.size_bytes) for one in here)


def _listed(values: Iterable[Value]) -> tuple[Setting, ...]:
    return tuple(
        Setting(variable=value.variable, value=value.shown, given=value.source != "default") for value in values
    )


def _extras() -> tuple[Extra, ...]:
    needed: dict[str, list[str]] = {}
    for line in requires("whispercore") or ():
        match = _OPTIONAL.match(line)
        if match is not None and match[2] not in _HIDDEN_EXTRAS:
            needed.setdefault(match[2], []).append(match[1])
    return tuple(
        Extra(name=name, missing=tuple(one for one in distributions if _version(one) is None))
        for name, distributions in needed.items()
    )


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
