"""faster-whisper (CTranslate2) in a child process: ``engine`` is the parent's side, ``child`` computes."""
