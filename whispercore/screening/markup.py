"""Markup that a browser would run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from whispercore.screening.forms import Forms
from whispercore.screening.patterns import either, words
from whispercore.screening.quotation import escapes
from whispercore.screening.rule import SCRIPT, Subject, TextRule

_TAG: Final = re.compile(r"<[\s/]{0,3}([a-z!?%][a-z0-9:_.-]{0,40})([^<>]*)")
_CLOSER_CHARACTERS: Final = 300
"""Behind a tag, so much is looked at."""
_MOST_SCRIPTS: Final = 50
"""No page has more."""

_BY_HAND: Final = r"on" + words("click dblclick change submit input key mouse pointer touch drag drop reset scroll")
"""What needs somebody to do something: pages are full of these."""
_BY_ITSELF: Final = r"on" + words(
    """abort active after animation auxclick before begin blur bounce cancel canplay cell close content contextmenu
    copy cue cut data deactivate duration emptied end error filter finish focus form full gesture got hash help invalid
    layout load lose lost media message move mute navigate online offline open orientation page paste pause play pop
    progress property rate ready repeat resi[sz]e resume reverse row search security seek select show slot snap stalled
    start stop storage suspend sync time toggle track transition undo unhandled unload url visibility volume wait
    webkit wheel zoom"""
)
_EVENT: Final = rf"(?:{_BY_HAND}|{_BY_ITSELF})[a-z]{{0,24}}"
_HANDLER: Final = re.compile(rf"(?:^|[\s/\"'`|\x0b])({_EVENT})\s?=\s?(.{{0,160}})", re.DOTALL)
_WAITS: Final = re.compile(_BY_HAND)
_SINK: Final = re.compile(
    either(
        words(
            "alert confirm prompt print eval execscript expression settimeout setinterval fetch atob unescape import"
        ),
        words("function fromcharcode constructor location cookie localstorage globalthis xmlhttp sendbeacon msgbox"),
        words("javascript vbscript throw"),
        words("document window top self parent this") + r"\s?[.\[]",
        r"write\s?\(",
        r"new\s",
        r"src\s?=",
        "&#",
        r"\\[ux]",
    )
)
"""What attacks are after."""
_CODE: Final = re.compile(
    either(
        r"[\w$\])][(`]",
        r"[\w$\]]=[^\s>]",
        r";\s?</script",
        r"^\s?(?:/[/*]|<!--|<!\[|\[\]|\(\()",
        r"^\s?['\"`][^'\"`]{0,20}['\"`]\s?[.;\[]",
        r"\bsrc\s?=",
    )
)
_SOURCE: Final = re.compile(r"(?:src|href)\s?=\s?(?:[\"'`]?\s?(?:[a-z][a-z+.-]{1,12}:|[/\\]{2}|&)|[^\"'\s])")
"""Where a script is from elsewhere, or not written as anybody would."""
_SCRIPT_AFTER_TAG: Final = re.compile(r"[\"'][\s/]?>\s?<script")

_SCHEME: Final = r"(?:java|vb|live)script:"
_ATTRIBUTE_SCHEME: Final = re.compile(
    r"(?:\w=|url\(|\]\(|content=|import)[\"'`(]{0,2}(?:0;)?(?:url=)?(?:view-source:|feed:)?[\"'`]?"
    rf"{_SCHEME}(?!void\(0\)|;?[\"'])"
)
_LEADING_SCHEME: Final = re.compile(
    rf"^[\"'`>)\]}};\s]{{0,6}}(?:url\()?[\"']?{_SCHEME}(?! )(?=.?(?:[/%'\"`\\(\[{{<]|[\w$.]{{1,40}}[(`=\[]))", re.DOTALL
)
_DATA: Final = re.compile(
    r"(?:^|[\"'=(`,\s])data:"
    + either(
        r"text/(?:html|xml|javascript)",
        r"application/(?:xhtml\+xml|(?:x-)?javascript)",
        r"image/svg\+xml[^,\s]{0,40},(?=.{0,400}?(?:<script|%3cscript|onload))",
        r";base64,phn",
    )
)

_FETCHES: Final = re.compile(
    rf"(?:^|[\s\"'/]){words('src srcdoc data href xlink:href code codebase action classid attributename')}\s?="
)
_ACTIVE: Final = frozenset(
    [
        "iframe",
        "frame",
        "object",
        "embed",
        "applet",
        "portal",
        "isindex",
        "import",
        "xss",
        "animate",
        "animatemotion",
        "set",
    ]
)
_ELSEWHERE: Final = re.compile(r"(?:href|src)\s?=\s?[\"'`]?\s?(?:[a-z][a-z+.-]{1,12}:)?[/\\]{2}")
_META: Final = re.compile(r"http-equiv\s?=\s?[\"'`]?(?:refresh[^<>]{0,80}(?:data:|script:)|set-cookie|link)")
_LINK: Final = re.compile(r"href.{0,200}(?:import|script:)|(?:import|script:).{0,200}href", re.DOTALL)
_STYLE: Final = re.compile(
    either(
        r"expression\s?\(",
        "-moz-binding",
        r"behaviou?r\s?:\s?(?:url|expression)",
        r"@import\s?(?:[\"'(]|url)",
        "script:",
        "-o-link",
    )
)

_CALLS_OUT: Final = re.compile(
    r"\)?[\s;,)}\]+*/|&<>^!-]{1,8}"
    + either(
        words("alert confirm prompt eval settimeout setinterval function fetch atob import write") + r"\s?[(`]",
        words("window document top self parent location this globalthis") + r"\s?[.=\[]",
    )
)
_ATTRIBUTE_ENDED: Final = re.compile(
    rf"[\"'`][\s/>]?(?:[a-z]{{1,20}}(?:\s?=[\w\"'`]{{0,12}})?\s)?{_EVENT}\s?=\s?[\"'`]?[^\s]{{0,60}}[(`]"
)
_TEMPLATE: Final = re.compile(
    either(
        r"\$\{\s?(?:alert|confirm|prompt|eval)\s?[(`]",
        r"\{\{[^{}]{0,200}"
        + either(
            words("constructor __proto__ __class__ __globals__ _self.env config.items"),
            r"alert\s?\(",
            r"\$on\.",
            r"\$eval",
            r"\d\s?\*\s?\d",
        ),
        r"(?:alert|confirm|prompt)\s?\(\s?document\s?\.\s?(?:cookie|domain)",
        r"eval\s?\(\s?(?:atob|string\.fromcharcode|unescape|name|location)",
        r"<!entity\s",
    )
)


@frozen
class _Tag:
    name: str
    """Without a prefix."""
    attributes: str
    after: str
    """The beginning of what follows."""


def _tags(text: str) -> Iterator[_Tag]:
    for found in _TAG.finditer(text):
        end = found.end() + 1
        yield _Tag(found[1].rpartition(":")[2], found[2], text[end : end + _CLOSER_CHARACTERS])


def _script(forms: Forms, _: Subject) -> bool:
    text = forms.plain
    if "<" not in text or "script" not in text:
        return False
    if text.count("<script") > _MOST_SCRIPTS or _SCRIPT_AFTER_TAG.search(text):
        return True
    return any(
        tag.name.startswith("script") and (_SOURCE.search(tag.attributes) or _CODE.search(tag.after))
        for tag in _tags(text)
    )


def _handler(forms: Forms, _: Subject) -> bool:
    text = forms.plain
    if "on" not in text:
        return False
    return _ATTRIBUTE_ENDED.search(text) is not None or any(
        _SINK.search(code) or not (_WAITS.match(event) or code.startswith("{"))
        for tag in _tags(text)
        for event, code in _HANDLER.findall(tag.attributes)
    )


def _address(forms: Forms, _: Subject) -> bool:
    if "script:" in forms.packed and (
        _ATTRIBUTE_SCHEME.search(forms.packed) is not None or _LEADING_SCHEME.search(forms.unbroken) is not None
    ):
        return True
    return "data:" in forms.packed and _DATA.search(forms.plain) is not None


def _element(forms: Forms, _: Subject) -> bool:
    return "<" in forms.plain and any(map(_is_active, _tags(forms.plain)))


def _is_active(tag: _Tag) -> bool:
    attributes = tag.attributes
    if "style" in attributes and _STYLE.search(attributes):
        return True
    if tag.name in _ACTIVE:
        return _FETCHES.search(attributes) is not None
    patterns = {"base": _ELSEWHERE, "meta": _META, "link": _LINK}
    if tag.name in patterns:
        return patterns[tag.name].search(attributes) is not None
    return tag.name == "style" and _STYLE.search(tag.after) is not None


def _code(forms: Forms, _: Subject) -> bool:
    """Code behind a quotation mark that ends what it was put into: in a text of its own, it would begin something."""
    return any(_CALLS_OUT.match(forms.plain, end) for end in escapes(forms.plain))


def _template(forms: Forms, _: Subject) -> bool:
    return _TEMPLATE.search(forms.plain) is not None


RULES: Final = (
    TextRule("script_element", SCRIPT, 9, _script),
    TextRule("event_handler", SCRIPT, 8, _handler),
    TextRule("script_address", SCRIPT, 8, _address),
    TextRule("active_element", SCRIPT, 7, _element),
    TextRule("code_breakout", SCRIPT, 7, _code),
    TextRule("template_code", SCRIPT, 6, _template),
)
