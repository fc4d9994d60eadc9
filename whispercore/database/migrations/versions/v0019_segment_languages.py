"""Which language a segment is in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns. Until here nobody could ask for it."""
    op.add_column("segments", sa.Column("language", sa.Text()))
    op.add_column("segments", sa.Column("language_probability", sa.Float()))
