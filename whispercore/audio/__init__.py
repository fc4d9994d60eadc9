"""Recordings in, windows of sound out.

``decoder`` is what callers use. FFmpeg parses strangers' files, so it runs in a child: ``child`` and ``media`` read,
``windows`` cuts, ``signature`` says what a file is that cannot be read.
"""

CUTTER_VERSION = 2
"""Raised whenever other windows could come out of the same recording; part of every transcript's fingerprint."""

MAX_WINDOW_S = 30.0
"""Length of the longest window, and of what Whisper's encoder always computes, in seconds."""
