"""Others with the same recordings, in turns with us: whisper.cpp's own programs, faster-whisper, servers elsewhere.

Who is not here is not measured, and meets no bar.
"""
