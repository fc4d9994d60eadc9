"""Batches: many recordings with the same options, followed as one."""
