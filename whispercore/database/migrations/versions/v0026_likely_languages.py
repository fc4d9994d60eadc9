"""The likeliest languages of a recording, beside the one that was found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns. Of earlier jobs only the likeliest is known."""
    op.add_column("jobs", sa.Column("likely_languages", sa.Text()))
    op.add_column("transcripts", sa.Column("likely_languages", sa.Text()))
