"""Copies of a whole installation: its database and its files as they were at one moment, in one archive.

Nothing here is imported by ``import whispercore``: it needs the ``server`` extra.
"""
