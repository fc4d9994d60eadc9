"""Keys of people, workers and files; how parts are sealed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables and columns. What is stored already stays in clear, and is said to be."""
    op.create_table(
        "key_pairs",
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("sealed_secret", sa.Text()),
        sa.Column("sealed_to", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", name="pk_key_pairs"),
    )
    op.create_table(
        "file_keys",
        sa.Column("file_id", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("file_id", name="pk_file_keys"),
    )
    op.create_table(
        "key_wraps",
        sa.Column("file_id", sa.Text(), nullable=False),
        sa.Column("reader_id", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("wrap", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["file_keys.file_id"], name="fk_key_wraps_file_id_file_keys", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", "reader_id", name="pk_key_wraps"),
    )
    op.create_index("ix_key_wraps_reader_id_created_at", "key_wraps", ["reader_id", "created_at"], unique=False)
    op.add_column("parts", sa.Column("encoding", sa.Text(), nullable=False, server_default="clear"))
    op.add_column("parts", sa.Column("stored_sha256", sa.Text()))
    op.add_column("upload_sessions", sa.Column("recipient", sa.Text()))
    op.add_column("upload_chunks", sa.Column("encoding", sa.Text(), nullable=False, server_default="clear"))
    op.add_column("upload_chunks", sa.Column("stored_bytes", sa.Integer()))
    op.add_column("upload_chunks", sa.Column("stored_sha256", sa.Text()))
