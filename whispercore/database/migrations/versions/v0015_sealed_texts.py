"""Texts of jobs may be sealed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make room for keys, and for what is sealed with them."""
    op.add_column("jobs", sa.Column("text_key", sa.Text(), nullable=True))
    op.add_column("segments", sa.Column("sealed", sa.Text(), nullable=True))
