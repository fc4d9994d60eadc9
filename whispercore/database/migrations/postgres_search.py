"""The index of the search in PostgreSQL, and what keeps it: a column of the segments that nobody reads but the search.

Its words are cut by a function of ours and not by one of PostgreSQL's configurations: theirs take ``3.5`` or an address
for one word, and differ with the locale of the database.
"""

from __future__ import annotations

from typing import Final

from whispercore.search.letters import SPACELESS_CLASS
from whispercore.search.words import LONGEST, word_class

# The same as whispercore.search.words.words_of.
_WORDS: Final = """
CREATE FUNCTION search_words(said text) RETURNS tsvector LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
DECLARE
    plain text := translate(said, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz');
    found text[];
BEGIN
    IF plain ~ '[^\x01-\x7f]' THEN
        SELECT string_agg(coalesce(written, letter), '' ORDER BY place) INTO plain
        FROM regexp_split_to_table(plain, '') WITH ORDINALITY AS letters (letter, place)
        LEFT JOIN search_letters USING (letter);
        plain := regexp_replace(plain, '([%(spaceless)s])', ' \\1 ', 'g');
        found := regexp_split_to_array(plain, '[^%(of_words)s]+');
    ELSE
        found := regexp_split_to_array(plain, '[^0-9a-z]+');
    END IF;
    RETURN (
        SELECT coalesce(string_agg(quote_literal(left(word, %(longest)s)) || ':' || least(place, 16383), ' '), '')
        FROM unnest(found) WITH ORDINALITY AS words (word, place) WHERE word <> ''
    )::tsvector;
END
$$
"""

_ENTERS: Final = """
CREATE FUNCTION search_enters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    new.search := search_words(new.text);
    RETURN new;
END
$$
"""
_TRIGGER: Final = """
CREATE TRIGGER search_enters BEFORE INSERT OR UPDATE ON segments FOR EACH ROW EXECUTE FUNCTION search_enters()
"""


def statements() -> tuple[str, ...]:
    """What makes it."""
    return (
        _WORDS % {"of_words": word_class(), "spaceless": SPACELESS_CLASS, "longest": LONGEST},
        _ENTERS,
        "ALTER TABLE segments ADD COLUMN search tsvector",
        _TRIGGER,
        "CREATE INDEX ix_segments_search ON segments USING gin (search)",
    )
