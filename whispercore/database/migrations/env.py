"""Alembic runs this for every command. The connection, and its transaction, are the caller's."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from whispercore.database.search_tables import is_compared
from whispercore.database.tables import schema
from whispercore.database.types import Moment


def _render(kind: str, item: Any, _: object) -> str | Literal[False]:
    """New versions say what is in the database, and not which of our classes put it there."""
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Moment) else False


def _run() -> None:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=schema,
        version_table=context.config.attributes["version_table"],
        render_item=_render,
        include_name=is_compared,
    )
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # the name under which Alembic runs it
    _run()
