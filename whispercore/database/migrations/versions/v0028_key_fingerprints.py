"""By which fingerprints an installation knows its keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; the next start knows what they are."""
    op.add_column("installation", sa.Column("audit_key_fingerprint", sa.Text(), nullable=True))
    op.add_column("installation", sa.Column("token_key_fingerprint", sa.Text(), nullable=True))
