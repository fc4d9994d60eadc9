"""How often a job was tried again, apart from how often it was claimed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it. Of earlier jobs only the failures since somebody last asked for them are known."""
    op.add_column("jobs", sa.Column("retries", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE jobs SET retries = CASE WHEN state = 'failed' THEN failures - 1 ELSE failures END WHERE failures > 0"
    )
