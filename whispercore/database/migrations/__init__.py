"""The versions of our tables, for Alembic."""
