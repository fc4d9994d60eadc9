"""Stored files: their bytes as blobs, and the rows that say which there are.

Nothing here is imported by ``import whispercore``: it needs the ``server`` extra.
"""
