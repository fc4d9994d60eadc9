"""One queue for all priorities: each job has a place in it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_LINES = """
    UPDATE jobs SET fair_tag = line.begins, place = line.begins - 300.0 * jobs.priority
    FROM (
        SELECT id, sum(cost) OVER (PARTITION BY owner_id ORDER BY priority DESC, fair_tag, id) - cost AS begins
        FROM jobs WHERE state = 'queued' AND fair_tag < 1e300
    ) AS line
    WHERE line.id = jobs.id
"""


def upgrade() -> None:
    """Begin anew: each user's waiting jobs are a line in the order that they had, and all lines begin at once."""
    op.drop_index("ix_jobs_queue", "jobs")
    op.drop_index("ix_jobs_turns", "jobs")
    op.add_column("jobs", sa.Column("place", sa.Float(), nullable=False, server_default="0"))
    op.execute("UPDATE jobs SET fair_tag = 0, place = -300.0 * priority WHERE state = 'processing'")
    op.execute("UPDATE jobs SET place = fair_tag WHERE state = 'queued' AND fair_tag >= 1e300")
    op.execute(_LINES)
    op.create_index(
        "ix_jobs_queue",
        "jobs",
        ["place", "id", "kind", "next_attempt_at"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_jobs_turns",
        "jobs",
        ["owner_id", "fair_tag"],
        unique=False,
        sqlite_where=sa.text("state IN ('queued', 'processing')"),
        postgresql_where=sa.text("state IN ('queued', 'processing')"),
    )
