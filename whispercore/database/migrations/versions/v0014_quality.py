"""How far segments can be believed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column. Of what was transcribed before, it is not known."""
    op.add_column("segments", sa.Column("quality", sa.Text()))
