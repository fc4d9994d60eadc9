"""Where text was left out of transcripts that the model seems to have made up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column. From earlier transcripts nothing was left out."""
    op.add_column("transcripts", sa.Column("dropped", sa.Text()))
