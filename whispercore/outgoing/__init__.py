"""Calls to addresses that strangers name: recordings that are fetched, webhooks that are told."""
