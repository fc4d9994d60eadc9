"""Durable work: what is to be done, who does it, and how far it is. One table, whoever wakes the workers."""
