"""``whispercore bench``: ``measuring`` measures, ``picture`` draws."""
