"""Where everything durable but the files themselves is kept: SQLite, through SQLAlchemy Core.

Nothing here is imported by ``import whispercore``: it needs the ``server`` extra.
"""
