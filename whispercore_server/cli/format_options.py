"""How transcripts are to be written, as the command line says it: ``--option NAME=VALUE``, for whatever format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

OptionTexts = Annotated[
    list[str] | None,
    typer.Option(
        "-O",
        "--option",
        metavar="NAME=VALUE",
        help="How to write it, such as line_length=32; see the reference of formats. May be repeated.",
    ),
]
_OPTION = "--option"


def given(texts: Sequence[str] | None, formats: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What each of these formats is given, by its name: an option is for all that have it.

    Raises:
        InvalidOption: None of them has such an option, or not with this value.
    """
    from whispercore.errors import InvalidOption  # noqa: PLC0415 - the help does without the library
    from whispercore.formats import FORMATS  # noqa: PLC0415 - as above

    found: dict[str, dict[str, Any]] = {name: {} for name in formats}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidOption(_OPTION, f"{text!r} is not of the form NAME=VALUE")
        takers = {one: option for one in formats for option in FORMATS[one].options if option.name == name}
        if not takers:
            known = dict.fromkeys(option.name for one in formats for option in FORMATS[one].options)
            having = "has" if len(formats) == 1 else "have"
            raise InvalidOption(
                _OPTION, f"{', '.join(formats)} {having} no option {name!r}; there is {', '.join(known) or 'none'}"
            )
        for one, option in takers.items():
            found[one][name] = _read(name, option.type, value)
    for one in formats:
        try:
            FORMATS[one].options_of(found[one])
        except InvalidOption as error:
            raise InvalidOption(f"{_OPTION} {error.option}", error.reason) from None
    return found


def options(texts: Sequence[str] | None, formats: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """As ``given``, for formats that are written here: those that are not installed are refused.

    Raises:
        InvalidOption: As ``given``, and where what writes a format is missing.
    """
    from whispercore.errors import InvalidOption  # noqa: PLC0415 - as above
    from whispercore.formats import FORMATS  # noqa: PLC0415 - as above

    for name in formats:
        if (reason := FORMATS[name].why_not) is not None:
            raise InvalidOption("--format", reason)
    return dict(given(texts, formats))


def _read(name: str, kind: str, text: str) -> object:
    from whispercore.errors import InvalidOption  # noqa: PLC0415 - as above
    from whispercore.parsers import flag  # noqa: PLC0415 - as above

    try:
        match kind:
            case "boolean":
                return flag(text)
            case "integer":
                return int(text)
            case "number":
                return float(text)
    except ValueError as error:
        reason = str(error) if kind == "boolean" else f"{text!r} is no {'whole ' if kind == 'integer' else ''}number"
        raise InvalidOption(f"{_OPTION} {name}", reason) from None
    return text
