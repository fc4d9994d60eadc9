"""All tables, in one place."""

from __future__ import annotations

from whispercore.database.arrival_tables import arrivals
from whispercore.database.batch_tables import batch_items, batches
from whispercore.database.file_tables import deleted_files, file_links, files, installation, parts
from whispercore.database.job_tables import jobs, outbox, results, segments, speeds, transcripts, windows, workers
from whispercore.database.key_tables import file_keys, key_pairs, key_wraps
from whispercore.database.measure_tables import acknowledgements, samples
from whispercore.database.people_tables import (
    api_key_days,
    api_keys,
    identities,
    refresh_tokens,
    sessions,
    sign_ins,
    signing_keys,
    users,
)
from whispercore.database.schema import schema
from whispercore.database.search_tables import search_documents, search_letters, search_owners
from whispercore.database.security_tables import audit_events, audit_head, incidents, login_failures
from whispercore.database.transcript_tables import job_tags, shares, transcript_versions
from whispercore.database.upload_tables import upload_chunks, upload_sessions
from whispercore.database.webhook_tables import webhook_deliveries, webhooks

__all__ = [
    "acknowledgements",
    "api_key_days",
    "api_keys",
    "arrivals",
    "audit_events",
    "audit_head",
    "batch_items",
    "batches",
    "deleted_files",
    "file_keys",
    "file_links",
    "files",
    "identities",
    "incidents",
    "installation",
    "job_tags",
    "jobs",
    "key_pairs",
    "key_wraps",
    "login_failures",
    "outbox",
    "parts",
    "refresh_tokens",
    "results",
    "samples",
    "schema",
    "search_documents",
    "search_letters",
    "search_owners",
    "segments",
    "sessions",
    "shares",
    "sign_ins",
    "signing_keys",
    "speeds",
    "transcript_versions",
    "transcripts",
    "upload_chunks",
    "upload_sessions",
    "users",
    "webhook_deliveries",
    "webhooks",
    "windows",
    "workers",
]
