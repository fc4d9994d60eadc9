"""A setting: where its value comes from, and how it is read.

A class of settings is an attrs class whose fields carry ``setting(...)`` as metadata. ``load`` builds it; from the
weakest to the strongest, a value is the default, in a TOML file, in the environment, or an argument.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar, cast, get_origin

from attrs import Attribute, AttrsInstance, fields, frozen, has, resolve_types

from whispercore.errors import InvalidOption

CONFIG: Final = "WHISPERCORE_CONFIG"
"""The variable that names the file."""

Source = Literal["default", "file", "environment", "argument"]
_Class = TypeVar("_Class", bound=AttrsInstance)


def setting(
    variable: str,
    about: str,
    parse: Callable[[str], object],
    *,
    secret: bool = False,
    show: Callable[[object], str] = str,
    aliases: tuple[str, ...] = (),
) -> dict[str, object]:
    """The metadata of a field that is a setting.

    Args:
        variable: Its name in the environment.
        about: One sentence for people.
        parse: Makes the value of a text, or raises ``ValueError`` with the reason; of a secret, it must not quote it.
        secret: Its value is never shown, only whether there is one. The field has to have ``repr=False`` too.
        show: The value for people.
        aliases: Other variables that mean the same, read where the first one is not set.
    """
    return {"variable": variable, "help": about, "parse": parse, "secret": secret, "show": show, "aliases": aliases}


@frozen(kw_only=True)
class Value:
    """A setting as it was found."""

    name: str
    """Its key in the file; ``library.threads`` stands in the table ``[library]``."""
    variable: str
    about: str
    source: Source
    shown: str
    """The value for people; of a secret, only whether it is set."""


@frozen(kw_only=True)
class Loaded(Generic[_Class]):
    """Settings, and where each comes from."""

    settings: _Class
    values: tuple[Value, ...]
    config: Path | None
    """The file that was read."""


@frozen
class _Text:
    """What somebody wrote."""

    text: str
    source: Source
    written: str
    """Where, for the message if it is wrong."""
    folder: Path
    """What a relative path begins from."""


def load(
    kind: type[_Class],
    *,
    environ: Mapping[str, str] | None = None,
    config: Path | None = None,
    arguments: Mapping[str, object] | None = None,
    table: str | None = None,
) -> Loaded[_Class]:
    """Read settings.

    A variable that is not set, or empty, is passed over, and so is an argument that is None. A relative path in the
    file begins from the file's folder.

    Args:
        kind: The class. A field whose type is such a class itself is a table of the file.
        environ: The variables; those of this process by default.
        config: The file; ``WHISPERCORE_CONFIG`` by default, and none where that is not set.
        arguments: Values from the command line, by name.
        table: The part of the file that is meant, if it is not the whole.

    Raises:
        InvalidOption: A value cannot work, or the file cannot be read or has a key that is no setting. ``option`` is
            the variable, the argument, or the key and the file.
    """
    variables = os.environ if environ is None else environ
    named = variables.get(CONFIG, "").strip()
    path = config or (Path(named) if named else None)
    found: dict[str, _Text] = {}
    names = dict(_walk(kind, ""))
    if path is not None:
        path = path.absolute()
        content = _read(path, "--config" if config is not None else CONFIG)
        if table is not None:
            content = _table(content.get(table, {}), table, path)
        found.update(_from_file(content, names, path, f"{table}." if table is not None else ""))
    for name, field in names.items():
        for variable in (field.metadata["variable"], *field.metadata["aliases"]):
            if text := variables.get(variable, "").strip():
                found[name] = _Text(text, "environment", variable, Path.cwd())
                break
    for name, value in (arguments or {}).items():
        if value is not None:
            found[name] = _Text(str(value), "argument", f"--{name.replace('_', '-')}", Path.cwd())
    settings = _built(kind, found, "")
    return Loaded(
        settings=settings,
        values=tuple(_value(settings, name, field, found.get(name)) for name, field in names.items()),
        config=path,
    )


def _walk(kind: type[AttrsInstance], prefix: str) -> Iterator[tuple[str, Attribute[Any]]]:
    """The settings of a class by their full names."""
    for field in fields(resolve_types(kind)):
        if "variable" in field.metadata:
            yield f"{prefix}{field.name}", field
        elif _nested(field):
            yield from _walk(cast("type[AttrsInstance]", field.type), f"{prefix}{field.name}.")


def _nested(field: Attribute[Any]) -> bool:
    return isinstance(field.type, type) and has(field.type)


def _read(path: Path, named_by: str) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - most processes have no file

    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise InvalidOption(named_by, f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidOption(named_by, f"{path} is not a TOML file: {error}") from None


def _table(value: object, name: str, path: Path) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise InvalidOption(f"{name} in {path}", f"it has to be a table: [{name}]")


def _from_file(
    content: Mapping[str, Any], names: Mapping[str, object], path: Path, shown: str, prefix: str = ""
) -> Iterator[tuple[str, _Text]]:
    tables = {name.rpartition(".")[0] for name in names} - {""}
    for key, value in content.items():
        name = f"{prefix}{key}"
        written = f"{shown}{name} in {path}"
        if name in tables:
            yield from _from_file(_table(value, name, path), names, path, shown, f"{name}.")
        elif name not in names:
            raise InvalidOption(written, f"there is no such setting{_nearest(name, names)}")
        elif isinstance(value, str | int | float):  # bool is an int
            yield name, _Text(str(value), "file", written, path.parent)
        elif isinstance(value, list) and all(isinstance(one, str) for one in value) and _has_several(names[name]):
            yield name, _Text(", ".join(value), "file", written, path.parent)
        else:
            raise InvalidOption(written, "it has to be a text, a number, true or false")


def _has_several(field: object) -> bool:
    """Whether a setting is a list of texts in a file, and a text with commas elsewhere."""
    return get_origin(getattr(field, "type", None)) is tuple


def _nearest(wrong: str, names: Mapping[str, object]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - for errors only

    wanted = wrong.rpartition(".")[2].lower()
    by_key = {name.rpartition(".")[2]: name for name in names}
    close = get_close_matches(wanted, by_key, n=1)
    return f"; did you mean {by_key[close[0]]}?" if close else f"; there are {', '.join(names)}"


def _built(kind: type[_Class], found: Mapping[str, _Text], prefix: str) -> _Class:
    given: dict[str, Any] = {}
    for field in fields(resolve_types(kind)):
        name = f"{prefix}{field.name}"
        if _nested(field):
            given[field.name] = _built(cast("type[AttrsInstance]", field.type), found, f"{name}.")
        elif name in found:
            given[field.name] = _parsed(field, found[name])
    return kind(**given)


def _parsed(field: Attribute[Any], given: _Text) -> object:
    parse: Callable[[str], object] = field.metadata["parse"]
    try:
        value = parse(given.text)
    except ValueError as error:
        raise InvalidOption(given.written, str(error)) from None
    return given.folder / value if isinstance(value, Path) else value


def _value(settings: AttrsInstance, name: str, field: Attribute[Any], given: _Text | None) -> Value:
    value: object = settings
    for part in name.split("."):
        value = getattr(value, part)
    if field.metadata["secret"]:
        shown = "not set" if value is None else "set"
    else:
        shown = "not set" if value is None else _plain(value, field.metadata["show"])
    return Value(
        name=name,
        variable=field.metadata["variable"],
        about=field.metadata["help"],
        source="default" if given is None else given.source,
        shown=shown,
    )


def _plain(value: object, show: Callable[[object], str]) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case _:
            return show(value)
