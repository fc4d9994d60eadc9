"""A format: what it is called, which options it has, and what writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Final, Literal, get_args, get_origin

import attrs
from attrs import field, frozen

from whispercore.contract.fields import HELP
from whispercore.errors import InvalidOption
from whispercore.formats.options import NoOptions, public
from whispercore.transcript import Transcript

Kind = Literal["integer", "number", "boolean", "string"]
_KINDS: Final[Mapping[type, Kind]] = {bool: "boolean", int: "integer", float: "number", str: "string"}


@frozen(kw_only=True)
class Option:
    """An option of a format."""

    name: str
    type: Kind
    default: bool | int | float | str
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    """All that it can be; empty when that is not limited."""


@frozen(kw_only=True)
class Format:
    """A way to write a transcript."""

    name: str
    description: str
    mime_type: str
    extension: str
    """With its dot, as ``Path.with_suffix`` takes it."""
    supports_timestamps: bool
    """Whether what is written says when something was said."""
    options_class: type[Any] = NoOptions
    """The class of its options, one of ``whispercore.formats.options``."""
    writer: Callable[[Transcript, Any], str | bytes] = field(repr=False)
    """Writes a transcript with options of that class."""
    is_text: bool = True
    """Whether what is written is text, and no file of bytes."""
    needs: tuple[str, ...] = ()
    """Modules that it is written with and that are not always installed."""
    extra: str = "documents"
    """What of whispercore to install for them."""

    @property
    def options(self) -> tuple[Option, ...]:
        """Its options, with defaults and ranges."""
        attrs.resolve_types(self.options_class)
        return tuple(map(_option, public(self.options_class).values()))

    @property
    def missing(self) -> str | None:
        """The first module that is not installed; None when all are."""
        return next((module for module in self.needs if find_spec(module) is None), None)

    @property
    def why_not(self) -> str | None:
        """Why nothing can be written in it here, and what to do; None when it can."""
        if (missing := self.missing) is None:
            return None
        return f"{self.name} needs {missing}, which is not installed: pip install 'whispercore[{self.extra}]'"

    def options_of(self, given: Mapping[str, object]) -> Any:
        """Its options by name, the rest as usual.

        Raises:
            InvalidOption: It has no such option, or not with this value.
        """
        known = public(self.options_class)
        for name in given:
            if name not in known:
                raise InvalidOption(name, f"{self.name} has no such option; it has {', '.join(known) or 'none'}")
        return self.options_class(**given)

    def write(self, transcript: Transcript, options: object = None) -> str | bytes:
        """The transcript in this format: text that can always be encoded as UTF-8, or bytes.

        Args:
            transcript: What to write.
            options: An object of ``options_class``; None for the defaults.

        Raises:
            InvalidOption: The options are those of another format, what it is written with is not installed, or the
                format cannot hold this transcript.
        """
        if options is None:
            options = self.options_class()
        if not isinstance(options, self.options_class):
            raise InvalidOption(
                "options", f"{self.name} takes {self.options_class.__name__}, not {type(options).__name__}"
            )
        if (reason := self.why_not) is not None:
            raise InvalidOption("format", reason)
        return self.writer(transcript, options)


def _option(one: attrs.Attribute[Any]) -> Option:
    low, high = getattr(one.validator, "bounds", (None, None))
    is_choice = get_origin(one.type) is Literal
    return Option(
        name=one.name,
        type="string" if is_choice else _KINDS[one.type or str],
        default=one.default,  # type: ignore[arg-type]  # options have plain defaults
        description=one.metadata[HELP],
        minimum=low,
        maximum=high,
        choices=get_args(one.type) if is_choice else (),
    )
