"""Where files lie that came in under an id that their sender chose, until they are published."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns. Earlier files came in in folders that have their ids."""
    op.add_column("files", sa.Column("staged_in", sa.Text()))
    op.add_column("deleted_files", sa.Column("staged_in", sa.Text()))
