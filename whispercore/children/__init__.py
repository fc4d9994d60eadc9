"""Child processes: where whisper.cpp and FFmpeg run, so that a crash of theirs is a sentence and not the end.

``supervisor`` is the parent's side, ``main`` the child's, ``frames`` what they say to each other.
"""
