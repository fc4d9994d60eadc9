"""Finding what was said: an index of all segments, the language of queries, ranking and excerpts."""
