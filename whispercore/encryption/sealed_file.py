"""A whole recording that is sealed before it is sent: its parts, each an age file, one after the other.

All but the last have the same number of bytes in them, so whoever knows that number knows where each begins. Its key
says who sends it: whoever has come by it, or by the key of a recording that is stored here, has it opened by nobody.
"""

from __future__ import annotations

from typing import Final

from whispercore.encryption import age_file

_SENDER: Final = "# sender: "


def size_of(size_bytes: int, part_bytes: int) -> int:
    """How large a recording of so many bytes is once it is sealed.

    Args:
        size_bytes: Of the recording.
        part_bytes: Of it in each part but the last.
    """
    parts, rest = divmod(size_bytes, part_bytes)
    return parts * age_file.size_of(part_bytes) + (age_file.size_of(rest) if rest else 0)


def key_text(identity: str, sender_id: str) -> str:
    """What is encrypted for the server: a file of keys, as age's tools read them, with a comment that binds it.

    Args:
        identity: The secret key of the recording.
        sender_id: The user who sends it.
    """
    return f"{_SENDER}{sender_id}\n{identity}\n"


def read_key_text(text: str) -> tuple[str, str]:
    """Who sends a recording, and its secret key.

    Raises:
        ValueError: Nobody says who sends it.
    """
    first, _, identity = text.strip().partition("\n")
    if not first.startswith(_SENDER):
        raise ValueError(f"its first line has to be {_SENDER!r} and the id of the user who sends it")
    return first.removeprefix(_SENDER).strip(), identity.strip()
