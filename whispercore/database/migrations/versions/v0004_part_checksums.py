"""Checksums of parts name their algorithm, so that another one can be used for new parts."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename the column, and say of what is there that it is SHA-256."""
    op.alter_column("parts", "sha256", new_column_name="checksum")
    op.execute("UPDATE parts SET checksum = 'sha256:' || checksum")
