"""Uploads that come in pieces: sessions, their chunks, and how a file and a job come of them.

Nothing here is imported by ``import whispercore``: it needs the ``server`` extra.
"""
