"""Where everything durable but the files themselves is kept, through SQLAlchemy Core: SQLite or PostgreSQL.

Nothing here is imported by ``import whispercore``: it needs the ``server`` extra.
"""
