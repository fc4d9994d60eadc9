# ruff: noqa: INP001 (mkdocs loads it by its path)
"""What the documentation takes from the code: ``<!-- code: NAME -->`` in a page becomes the answer of a function here.

mkdocs calls ``on_page_markdown`` for every page; the tests call ``rendered`` for every page too.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import access
import attrs
import endpoints
import trail
from typer import Context
from typer.main import get_command

from whispercore import errors
from whispercore.audio import media
from whispercore.formats import FORMATS, Option
from whispercore.languages import LANGUAGES
from whispercore.models.catalogue import CATALOGUE, MICRO
from whispercore.models.voices import VOICE_MODELS
from whispercore.settings import Settings

_MARKER = re.compile(r"^<!-- code: (\w+) -->$", re.MULTILINE)
_BRACES = re.compile(r"[{}]|(?<=\.\.\.})\.\.\.")
_PLACES = {
    "models_dir": "`models` in the data folder of the user",
    "data": "`server` in the data folder of the user",
    "database_url": "PostgreSQL where its host or password is set, else `whispercore.db` in `data`",
    "backups_dir": "`backups` in `data`",
    "s3_endpoint": "`http://s3_host:s3_port`, where there is a host, or a key and `blobs` is `auto`",
    "master_key_file": "`master.key` in `data`",
}
_MARKUP = re.compile(r"\[/?[a-z ]*\]")


def on_page_markdown(markdown: str, **_: object) -> str:
    """The page with what comes from the code; called by mkdocs."""
    return rendered(markdown)


def rendered(markdown: str) -> str:
    """The page with what comes from the code."""
    return _MARKER.sub(lambda found: "\n".join(PARTS[found[1]]()), markdown)


def error_classes() -> Iterator[type[errors.WhispercoreError]]:
    """Every error, each after the one that it is a kind of."""

    def below(error: type[errors.WhispercoreError]) -> Iterator[type[errors.WhispercoreError]]:
        yield error
        for kind in error.__subclasses__():
            if kind.__module__.startswith(errors.__name__):
                yield from below(kind)

    # attrs makes a second class of each, with slots, under the same name; the first one is still a subclass.
    last = {error.__name__: error for error in below(errors.WhispercoreError)}
    return (getattr(errors, name) for name in last)


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, with all its words."""
    from whispercore_server.cli import app  # noqa: PLC0415 - pages without commands do without it

    def below(words: str, command: Any) -> Iterator[tuple[str, Any]]:
        if not hasattr(command, "commands"):
            yield words, command
            return
        for name, inner in command.commands.items():
            yield from below(f"{words} {name}", inner)

    return below("whispercore", get_command(app))


def _errors() -> Iterator[str]:
    tree = inspect.cleandoc(errors.__doc__ or "").split("\n\n")[1]
    yield from ("```text", inspect.cleandoc(tree), "```", "")
    for error in error_classes():
        base = error.__mro__[1].__name__
        yield from (f"## `{error.__name__}`", "", f"A kind of `{base}`; its code is `{error.code}`.", "")
        yield from (inspect.cleandoc(error.__doc__ or ""), "")
        own = [one.name for one in attrs.fields(error)] if attrs.has(error) else []
        if own:
            yield from ("Fields: " + ", ".join(f"`{name}`" for name in own) + ".", "")


def _settings() -> Iterator[str]:
    return _settings_of(Settings, "key in `[library]`")


def _server_settings() -> Iterator[str]:
    from whispercore_server.settings import ServerSettings  # noqa: PLC0415 - as for commands

    return _settings_of(ServerSettings, "key in the file")


def _settings_of(kind: type[attrs.AttrsInstance], key: str) -> Iterator[str]:
    yield from (f"| variable | {key} | what it says | default |", "| --- | --- | --- | --- |")
    for one in attrs.fields(kind):
        if "variable" in one.metadata:
            variables = ", ".join(f"`{name}`" for name in (one.metadata["variable"], *one.metadata["aliases"]))
            yield f"| {variables} | `{one.name}` | {one.metadata['help']} | {_default(one)} |"


def _default(setting: attrs.Attribute[Any]) -> str:
    match setting.default:
        case attrs.Factory():  # type: ignore[misc]  # a class at run time
            return _PLACES[setting.name]
        case None | ():
            return "none"
        case bool() as flag:
            return f"`{int(flag)}`"
        case value:
            return f"`{value}`"


def _models() -> Iterator[str]:
    yield from ("| name | size | languages | note |", "| --- | --: | --- | --- |")
    for model in (MICRO, *CATALOGUE.values()):
        yield f"| `{model.name}` | {model.size_mb:,} MB | {model.languages} | {model.note} |"


def _voice_models() -> Iterator[str]:
    yield from ("| name | size | what it says |", "| --- | --: | --- |")
    for model in VOICE_MODELS.values():
        yield f"| `{model.name}` | {model.size_bytes / 1e6:,.0f} MB | {model.note} |"


def _formats() -> Iterator[str]:
    yield from ("| name | what it is | ending | media type | has times |", "| --- | --- | --- | --- | --- |")
    for one in FORMATS.values():
        times = "yes" if one.supports_timestamps else "no"
        yield f"| `{one.name}` | {one.description} | `{one.extension}` | `{one.mime_type}` | {times} |"


def _format_options() -> Iterator[str]:
    for one in FORMATS.values():
        if one.options:
            yield from (f"### `{one.name}`", "")
            yield from ("| option | type | default | range | what it does |", "| --- | --- | --- | --- | --- |")
            for option in one.options:
                default = str(option.default).lower() if option.type == "boolean" else str(option.default)
                shown = f"`{default}`" if default else "none"
                yield f"| `{option.name}` | {option.type} | {shown} | {_range(option)} | {option.description} |"
            yield ""


def _range(option: Option) -> str:
    if option.choices:
        return ", ".join(f"`{choice}`" for choice in option.choices)
    return "" if option.minimum is None else f"{option.minimum:g} to {option.maximum:g}"


def _containers() -> Iterator[str]:
    yield ", ".join(f"`{name}`" for name in sorted(media.DEMUXERS.split(",")))


def _languages() -> Iterator[str]:
    yield ", ".join(f"{name} (`{code}`)" for code, name in LANGUAGES.items())


def _commands() -> Iterator[str]:
    for words, command in commands():
        context = Context(command, info_name=words)
        usage = " ".join([words, *(_BRACES.sub("", piece) for piece in command.collect_usage_pieces(context))])
        yield from (f"## `{words}`", "", "```text", usage, "```", "", _plain(command.help), "")
        for parameter in command.params:
            if parameter.name != "help":
                yield from _parameter(parameter)
        yield ""


def _parameter(parameter: Any) -> Iterator[str]:
    if parameter.param_type_name == "argument":
        yield f"- **`{parameter.metavar or parameter.name.upper()}`**: {_plain(parameter.help)}"
        return
    names = ", ".join(f"`{name}`" for name in parameter.opts)
    shown = parameter.show_default if isinstance(parameter.show_default, str) else None
    usual = shown or (None if parameter.is_flag or parameter.default is None else str(parameter.default))
    yield f"- {names}: {_plain(parameter.help)}" + (f" Default: {usual}." if usual else "")


def _plain(text: str | None) -> str:
    return _MARKUP.sub("", inspect.cleandoc(text or ""))


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "bundles": access.bundles,
    "calls": endpoints.calls,
    "commands": _commands,
    "containers": _containers,
    "errors": _errors,
    "event_types": trail.event_types,
    "format_options": _format_options,
    "formats": _formats,
    "incident_rules": trail.rules,
    "languages": _languages,
    "limits": access.limits,
    "models": _models,
    "rate_profiles": access.profiles,
    "scopes": access.scopes,
    "server_settings": _server_settings,
    "routes": endpoints.sections,
    "routes_table": endpoints.table,
    "settings": _settings,
    "voice_models": _voice_models,
    "waits": trail.waits,
}
"""What pages can ask for."""

PAGES = Path(__file__).parent
"""The folder of the pages."""
