"""What a file is called. Names come from strangers; they are shown, and are never a path of ours."""

from __future__ import annotations

import re
import unicodedata
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Any

LONGEST = 255
"""Characters of a name that are kept."""
_LONGEST_SUFFIX = 20
NAMELESS = "unnamed"
OCTETS = "application/octet-stream"
"""The content type of what declares none."""
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of text, and show ``gpj.exe`` as ``exe.jpg``."""
_CONTENT_TYPE = re.compile(r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}", re.ASCII)


def clean_name(name: str | None) -> str:
    """The name without folders, control characters and what no database takes; never empty.

    A name that is too long loses its middle, not its ending.
    """
    if name is None:
        return NAMELESS
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(
        character
        for character in last
        if unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"} and character not in _TURNING
    )
    shown = unicodedata.normalize("NFC", shown).strip()
    if len(shown) > LONGEST:
        stem, dot, suffix = shown.rpartition(".")
        ending = dot + suffix if stem and len(suffix) <= _LONGEST_SUFFIX else ""
        shown = shown[: LONGEST - len(ending)] + ending
    return shown if shown.strip(".") else NAMELESS


def name_in(disposition: str) -> str | None:
    """What a header ``Content-Disposition`` calls a file (RFC 6266), as it is said; None when it says nothing."""
    message = Message()
    try:
        message["Content-Disposition"] = disposition
        said: Any = message.get_params(None, "Content-Disposition") or []
        given = [value for name, value in said if name.lower() == "filename"]
        # The form with a character set, `filename*`, comes first wherever it stands.
        best = next((value for value in given if isinstance(value, tuple)), given[0] if given else None)
        return None if best is None else collapse_rfc2231_value(best)
    except (ValueError, LookupError, TypeError):  # line breaks, character sets that do not exist, half a continuation
        return None


def clean_content_type(content_type: str | None) -> str:
    """The type without its parameters, in lower case; that of plain bytes when it is none."""
    found = (content_type or "").partition(";")[0].strip().lower()
    return found if _CONTENT_TYPE.fullmatch(found) else OCTETS
