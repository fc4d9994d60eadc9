"""The index of the search, what keeps it, and all segments that are there."""

# ruff: noqa: S608 (all that is put together stands here)

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from whispercore.database.migrations import postgres_search
from whispercore.search.letters import LETTERS, SPACELESS_CLASS, SPECIAL_CLASS
from whispercore.search.words import plain_letters

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_POSITION_BITS = 20
_DOCUMENT_BITS = 24

# Vowel signs of Indian and Thai scripts are marks, and belong to words. Beginnings of two and three letters have an
# index of their own: as parts of the main one they would be thousands of words to look up.
_INDEX = """
CREATE VIRTUAL TABLE search_index USING fts5(
    text, prefix = '2 3', tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
)
"""

# The same as whispercore.search.letters.folded.
_WRITTEN = f"""
CASE WHEN new.text GLOB '*[^ -~]*' AND new.text GLOB '*[{SPECIAL_CLASS}]*' THEN (
    WITH RECURSIVE places(place) AS (
        SELECT 1 UNION ALL SELECT place + 1 FROM places WHERE place < length(new.text)
    )
    SELECT group_concat(
        CASE
            WHEN substr(new.text, place, 1) GLOB '[{SPACELESS_CLASS}]' THEN ' ' || substr(new.text, place, 1) || ' '
            ELSE coalesce(written, substr(new.text, place, 1))
        END, ''
    )
    FROM places LEFT JOIN search_letters ON letter = substr(new.text, place, 1)
) ELSE new.text END
"""

# An owner and a document get their numbers with the first segment; a segment's place has to fit into its bits.
_ENTER = f"""
INSERT INTO search_owners (owner_id)
SELECT owner_id FROM jobs
WHERE id = new.job_id
AND NOT EXISTS (SELECT 1 FROM search_documents WHERE job_id = new.job_id)
AND NOT EXISTS (SELECT 1 FROM search_owners AS known WHERE known.owner_id = jobs.owner_id);

INSERT INTO search_documents (number, job_id)
SELECT coalesce(
    (
        SELECT max(number) FROM search_documents
        WHERE number BETWEEN owners.number << {_DOCUMENT_BITS} AND ((owners.number + 1) << {_DOCUMENT_BITS}) - 1
    ),
    owners.number << {_DOCUMENT_BITS}
) + 1, new.job_id
FROM jobs JOIN search_owners AS owners ON owners.owner_id = jobs.owner_id
WHERE jobs.id = new.job_id AND NOT EXISTS (SELECT 1 FROM search_documents WHERE job_id = new.job_id);

DELETE FROM search_index WHERE rowid = (
    SELECT (number << {_POSITION_BITS}) | new.position FROM search_documents WHERE job_id = new.job_id
);

INSERT INTO search_index (rowid, text)
SELECT (number << {_POSITION_BITS}) | new.position, {_WRITTEN} FROM search_documents WHERE job_id = new.job_id;
"""

_FITS = f"BETWEEN 0 AND {(1 << _POSITION_BITS) - 1}"
_LEAVE = f"""
DELETE FROM search_index WHERE old.position {_FITS} AND rowid = (
    SELECT (number << {_POSITION_BITS}) | old.position FROM search_documents WHERE job_id = old.job_id
);
"""

_TRIGGERS = (
    f"CREATE TRIGGER search_enters AFTER INSERT ON segments WHEN new.position {_FITS} BEGIN {_ENTER} END",
    f"CREATE TRIGGER search_leaves AFTER DELETE ON segments BEGIN {_LEAVE} END",
    # In two, as only the new place has to fit.
    f"CREATE TRIGGER search_changes BEFORE UPDATE OF job_id, position, text ON segments BEGIN {_LEAVE} END",
    f"""
    CREATE TRIGGER search_changed AFTER UPDATE OF job_id, position, text ON segments WHEN new.position {_FITS}
    BEGIN {_ENTER} END
    """,
    # After the cascade: the triggers of the segments need the number.
    "CREATE TRIGGER search_forgets AFTER DELETE ON jobs BEGIN DELETE FROM search_documents WHERE job_id = old.id; END",
    f"""
    CREATE TRIGGER search_moves AFTER UPDATE OF owner_id ON jobs WHEN new.owner_id <> old.owner_id BEGIN
        DELETE FROM search_index WHERE rowid BETWEEN
            (SELECT number << {_POSITION_BITS} FROM search_documents WHERE job_id = new.id)
            AND (SELECT ((number + 1) << {_POSITION_BITS}) - 1 FROM search_documents WHERE job_id = new.id);
        DELETE FROM search_documents WHERE job_id = new.id;
        UPDATE segments SET position = position WHERE job_id = new.id;
    END
    """,
)


def upgrade() -> None:
    """Make the index, have it kept, and let all segments that are there enter it."""
    op.create_table(
        "search_owners",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_search_owners")),
        sa.UniqueConstraint("owner_id", name=op.f("uq_search_owners_owner_id")),
    )
    op.create_table(
        "search_documents",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_search_documents")),
        sa.UniqueConstraint("job_id", name=op.f("uq_search_documents_job_id")),
    )
    letters = op.create_table(
        "search_letters",
        sa.Column("letter", sa.Text(), nullable=False),
        sa.Column("written", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("letter", name=op.f("pk_search_letters")),
    )
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        known, statements = plain_letters(), postgres_search.statements()
    else:
        known, statements = LETTERS, (_INDEX, *_TRIGGERS)
    op.bulk_insert(letters, [{"letter": letter, "written": written} for letter, written in known.items()])
    for statement in statements:
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql("UPDATE segments SET position = position")
