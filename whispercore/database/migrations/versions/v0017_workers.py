"""Who the workers are, and what they have loaded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns; workers fill them when they begin."""
    op.add_column("workers", sa.Column("host", sa.Text(), nullable=False, server_default=""))
    op.add_column("workers", sa.Column("process_id", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("workers", sa.Column("kinds", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("workers", sa.Column("models", sa.Text(), nullable=False, server_default="[]"))
