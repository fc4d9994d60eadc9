"""Count the workers that a job has lost; keep its kind where lists are read from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column and an index, and make another one anew."""
    op.add_column("jobs", sa.Column("losses", sa.Integer(), nullable=False, server_default="0"))
    op.drop_index("ix_jobs_created", "jobs")
    op.create_index("ix_jobs_created", "jobs", ["created_at", "id", "state", "kind"], unique=False)
    op.create_index("ix_jobs_owner_kind", "jobs", ["owner_id", "kind", "created_at", "id", "state"], unique=False)
