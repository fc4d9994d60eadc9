"""Paths that leave their folder, or name what is nobody's business."""

from __future__ import annotations

import re
from typing import Final

from whispercore.screening.forms import Forms
from whispercore.screening.patterns import either, words
from whispercore.screening.rule import TRAVERSAL, Subject, TextRule

_STEP: Final = re.compile(r"(?:^|[/\\=:'\"(,\s])\.{2,4}(?:[;\s]?[/\\]|$)")
_DOT: Final = r"%(?:25){0,2}2e"
_ENCODED_STEP: Final = re.compile(
    either(
        rf"(?:\.|{_DOT}){{1,2}}%(?:25){{0,3}}(?:2f|5c)",
        rf"{_DOT}(?:\.|{_DOT})[/\\]",
        # in more bytes than needed
        r"%(?:25)?(?:c0|e0|f0|f8|fc)%(?:25)?[2589a]",
        r"%(?:25)?c1%(?:25)?[189a]",
        r"%(?:25)?uff0e",
        r"%u(?:2215|2216|002e|002f|005c|ff0f)",
        r"(?:\\(?:u002e|x2e)){2}",
    ),
    re.IGNORECASE,
)
"""Dots and slashes that were encoded on purpose."""
_ONLY_STEPS: Final = re.compile(r"^['\"]?[\w./\\:=?@-]{0,40}?(?:\.{2,4}[/\\]{1,4}){2,}\S*$")
"""Nothing but a path that goes up twice."""
_TARGET: Final = either(
    r"(?:private[/\\])?etc[/\\]{1,3}"
    + words(
        r"""passwd shadow group hosts sudoers crontab issue fstab motd mysql ssh apache2? nginx httpd profile
        resolv\.conf master\.passwd"""
    ),
    r"proc[/\\]{1,3}(?:self|version|cmdline|\d|net|mounts|cpuinfo)",
    r"root[/\\]\.\w",
    r"(?:winnt|windows)[/\\]{1,4}(?:win\.ini|system|repair|php\.ini|explorer|debug|panther|iis)",
    r"var[/\\]{1,3}(?:log|run|mail|www)[/\\]",
    words(r"boot\.ini win\.ini web-inf web\.config wp-config \.htaccess \.htpasswd id_rsa \.bash_history"),
    r"\.(?:ssh|aws)[/\\]",
    r"\.git[/\\]config",
    r"\.env$",
)
_TARGETS: Final = re.compile(_TARGET)
_LONGEST_WAY: Final = 200
_FROM_ROOT: Final = re.compile(rf"^['\"]?(?:file:/{{0,4}})?(?:[a-z]:)?[/\\]{{1,4}}{_TARGET}")
_TAUGHT: Final = re.compile(r"etc[/\\](?:hosts|fstab|profile|motd|issue|resolv\.conf|ssh|nginx|apache2?|crontab)")
"""Files that every handbook names."""
_WRAPPER: Final = re.compile(
    r"^(?:php://(?:filter|input|stdin|fd|memory|temp)|"
    r"(?:phar|zip|expect|zlib|compress\.\w{2,5}|glob|ogg|ssh2|rar|dict|gopher|ldap|netdoc|jar:\w{2,5})://?\S)"
)


def _step(forms: Forms, subject: Subject) -> bool:
    text = forms.plain
    if ".." not in text:
        return False
    if subject == "name":
        return _STEP.search(text) is not None
    return _ONLY_STEPS.search(text) is not None or any(
        _goes_up(text, found.start()) for found in _TARGETS.finditer(text)
    )


def _goes_up(text: str, at: int) -> bool:
    """Whether the path that leads here went up before."""
    before = text[max(0, at - _LONGEST_WAY) : at]
    way = before[max(before.rfind(" "), before.rfind("\n")) + 1 :]
    return any(up in way for up in ("../", "..\\", "..;/"))


def _encoded_step(forms: Forms, _: Subject) -> bool:
    return ("%" in forms.raw or "\\" in forms.raw) and _ENCODED_STEP.search(forms.raw) is not None


def _system_file(forms: Forms, subject: Subject) -> bool:
    """The path of a file of the system, and nothing else."""
    text = forms.plain
    if _WRAPPER.match(text) is not None:
        return True
    if _FROM_ROOT.match(text) is None:
        return False
    return subject == "name" or (" " not in text and _TAUGHT.search(text) is None)


RULES: Final = (
    TextRule("path_step", TRAVERSAL, 8, _step),
    TextRule("encoded_path_step", TRAVERSAL, 8, _encoded_step),
    TextRule("system_file", TRAVERSAL, 7, _system_file),
)
