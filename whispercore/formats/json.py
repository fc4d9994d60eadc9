"""All fields of a transcript, as JSON, and the way back."""

from __future__ import annotations

import math
from functools import cache
from types import GenericAlias
from typing import TYPE_CHECKING, Any, get_args, get_origin

from whispercore.errors import InvalidOption
from whispercore.formats.line import encodable
from whispercore.formats.options import JsonOptions
from whispercore.sentences import Paragraph
from whispercore.transcript import Transcript

if TYPE_CHECKING:
    from cattrs.preconf.orjson import OrjsonConverter

_SHOWN_ERRORS = 3


def write(transcript: Transcript, options: JsonOptions | None = None) -> str:
    """All fields, and on top, for people, what is made of them.

    That is the whole text as ``text``, whether nobody speaks as ``no_speech``, ``languages`` where they are told apart
    and ``paragraphs``, each with its ``sentences``, where options ask for them. Lone surrogates become U+FFFD; all else
    comes back from :func:`read` as it was.

    Raises:
        ValueError: A number is not finite, which JSON cannot say.
    """
    import orjson  # noqa: PLC0415 (who only lists formats does not pay for it)

    fields = _converter().unstructure(transcript)
    on_top: dict[str, Any] = {"text": encodable(transcript.text), "no_speech": transcript.no_speech}
    if transcript.languages:
        on_top["languages"] = _converter().unstructure(transcript.languages)
    if options is not None and options.paragraphs:
        on_top["paragraphs"] = [_paragraph(one) for one in transcript.paragraphs]
    document = {**on_top, **fields}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _paragraph(one: Paragraph) -> dict[str, Any]:
    """Times and speaker first; its sentences have a channel too, where channels were kept apart."""
    return {
        "start_s": one.start_s,
        "end_s": one.end_s,
        "speaker": encodable(one.speaker) if one.speaker is not None else None,
        "text": encodable(one.text),
        "sentences": _converter().unstructure(one.sentences),
    }


def read(text: str) -> Transcript:
    """The transcript that was written.

    What is on top is made from the segments, so it is not read; fields that have a default may be missing.

    Raises:
        InvalidOption: This is not JSON, or not of a transcript: fields are missing, unknown or of a wrong type.
    """
    from cattrs import BaseValidationError  # noqa: PLC0415 (as above)

    document = _document(text)
    for made in ("text", "no_speech", "languages", "paragraphs"):
        document.pop(made, None)
    try:
        return _converter().structure(document, Transcript)
    except BaseValidationError as error:
        raise InvalidOption("json", _reason(error)) from error


def _document(text: str) -> dict[str, Any]:
    import orjson  # noqa: PLC0415 (as above)

    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidOption("json", str(error)) from error
    if not isinstance(document, dict):
        raise InvalidOption("json", "a transcript is an object")
    return document


def _reason(error: BaseException) -> str:
    from cattrs import transform_error  # noqa: PLC0415 (as above)

    reasons = transform_error(error)
    more = len(reasons) - _SHOWN_ERRORS
    return "; ".join(reasons[:_SHOWN_ERRORS]) + (f"; and {more} more" if more > 0 else "")


@cache
def _converter() -> OrjsonConverter:
    """A converter that takes every value as it is, where cattrs would make ``1`` of ``"1"``."""
    from cattrs.preconf.orjson import make_converter  # noqa: PLC0415 (as above)

    converter = make_converter(forbid_extra_keys=True)
    converter.register_unstructure_hook(str, encodable)
    converter.register_unstructure_hook(float, _finite)
    converter.register_structure_hook(float, _number)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _same)

    def items(value: Any, kind: Any) -> tuple[Any, ...]:
        listed: Any = GenericAlias(list, get_args(kind)[:1])
        return tuple(converter.structure(_same(value, list), listed))

    converter.register_structure_hook_func(_is_tuple, items)
    return converter


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _same(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(kind)
    return value


def _number(value: Any, _: type) -> float:
    if type(value) not in (float, int):
        raise TypeError(float)
    return float(value)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(value)
    return value
