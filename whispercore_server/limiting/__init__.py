"""Rate limits: how many requests a user, a key or an address may make in a time."""
