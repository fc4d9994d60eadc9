"""``whispercore listen``: a pipe or a microphone, transcribed while it is spoken."""

from __future__ import annotations
