"""The tables of procrastinate, which brings jobs and workers together on PostgreSQL."""

from __future__ import annotations

from contextlib import closing

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them, unless somebody else uses procrastinate in this database."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    from procrastinate.schema import SchemaManager  # noqa: PLC0415 - an extra

    if connection.exec_driver_sql("SELECT to_regclass('procrastinate_jobs')").scalar() is None:
        with closing(connection.connection.cursor()) as cursor:  # SQLAlchemy executes one statement at a time
            cursor.execute(SchemaManager.get_schema())
