"""Who is calling, and what they may do: users, keys, tokens, scopes."""
