"""A whole recording that is sealed before it is sent: its parts, each an age file, one after the other.

All but the last have the same number of bytes in them, so whoever knows that number knows where each begins.
"""

from __future__ import annotations

from whispercore.encryption import age_file


def size_of(size_bytes: int, part_bytes: int) -> int:
    """How large a recording of so many bytes is once it is sealed.

    Args:
        size_bytes: Of the recording.
        part_bytes: Of it in each part but the last.
    """
    parts, rest = divmod(size_bytes, part_bytes)
    return parts * age_file.size_of(part_bytes) + (age_file.size_of(rest) if rest else 0)
