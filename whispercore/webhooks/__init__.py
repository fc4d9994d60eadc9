"""Webhooks: addresses of people's own that are told when their jobs are over."""
