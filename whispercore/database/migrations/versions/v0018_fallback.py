"""Which models could not transcribe what another one did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns. Until here nobody could allow it."""
    op.add_column("jobs", sa.Column("fallback_from", sa.Text()))
    op.add_column("transcripts", sa.Column("fallback_from", sa.Text()))
