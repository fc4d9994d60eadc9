"""Keys: the master key, those of people and workers, and those of files. Files are sealed in the age format.

Nothing here is imported by ``import whispercore``: it needs the ``server`` extra.
"""
