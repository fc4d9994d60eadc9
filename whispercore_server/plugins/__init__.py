"""How each API answers: the same folders and file names as ``whispercore.api``."""
