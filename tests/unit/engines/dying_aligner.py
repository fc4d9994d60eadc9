"""The engine's child, which dies as soon as it is to align words."""

from __future__ import annotations

import os
from unittest.mock import patch

from whispercore.children.frames import Channel
from whispercore.engines.whispercpp import child
from whispercore.engines.whispercpp.alignment import Guard

CODEC = child.CODEC


def serve(channel: Channel) -> None:
    """What the child does, with whisper.cpp's way to fail."""
    with patch.object(Guard, "may_begin", lambda _: os.abort()):
        child.serve(channel)
