"""The transcriber API's answers, and the jobs that it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from whispercore.api.transcriber import API
from whispercore.jobs.worker import Handler
from whispercore.tasks.transcribe import KIND, Transcribe
from whispercore_server.plugin import Plugin
from whispercore_server.plugins.transcriber.admin.api_keys import AdminApiKeysHandlers
from whispercore_server.plugins.transcriber.admin.audit import AuditHandlers
from whispercore_server.plugins.transcriber.admin.backups import BackupsHandlers
from whispercore_server.plugins.transcriber.admin.csrf import CsrfHandlers
from whispercore_server.plugins.transcriber.admin.incidents import IncidentsHandlers
from whispercore_server.plugins.transcriber.admin.installation import InstallationHandlers
from whispercore_server.plugins.transcriber.admin.resources import ResourcesHandlers
from whispercore_server.plugins.transcriber.admin.security import SecurityHandlers
from whispercore_server.plugins.transcriber.admin.signing_keys import SigningKeysHandlers
from whispercore_server.plugins.transcriber.admin.system import SystemHandlers
from whispercore_server.plugins.transcriber.admin.users import UsersHandlers
from whispercore_server.plugins.transcriber.admin.workers import WorkersHandlers
from whispercore_server.plugins.transcriber.api_keys import ApiKeysHandlers
from whispercore_server.plugins.transcriber.auth import AuthHandlers
from whispercore_server.plugins.transcriber.batches import BatchesHandlers
from whispercore_server.plugins.transcriber.chunked_uploads import ChunkedUploadsHandlers
from whispercore_server.plugins.transcriber.exports import ExportsHandlers
from whispercore_server.plugins.transcriber.health import HealthHandlers
from whispercore_server.plugins.transcriber.jobs import JobsHandlers
from whispercore_server.plugins.transcriber.live import LiveHandlers
from whispercore_server.plugins.transcriber.metrics import MetricsHandlers
from whispercore_server.plugins.transcriber.oidc import OidcHandlers
from whispercore_server.plugins.transcriber.owed_jobs import making
from whispercore_server.plugins.transcriber.progress import ProgressHandlers
from whispercore_server.plugins.transcriber.search import SearchHandlers
from whispercore_server.plugins.transcriber.sharing import SharesHandlers
from whispercore_server.plugins.transcriber.tags import TagsHandlers
from whispercore_server.plugins.transcriber.transcripts import TranscriptsHandlers
from whispercore_server.plugins.transcriber.tus import TusHandlers
from whispercore_server.plugins.transcriber.webhooks import WebhooksHandlers
from whispercore_server.ports import Ports


def _handlers(ports: Ports) -> Sequence[object]:
    return (
        JobsHandlers(ports),
        BatchesHandlers(ports),
        ProgressHandlers(ports),
        LiveHandlers(ports),
        ExportsHandlers(ports),
        WebhooksHandlers(ports),
        TranscriptsHandlers(ports),
        SharesHandlers(ports),
        TagsHandlers(ports),
        SearchHandlers(ports),
        ChunkedUploadsHandlers(ports),
        TusHandlers(ports),
        AuthHandlers(ports),
        OidcHandlers(ports),
        ApiKeysHandlers(ports),
        AdminApiKeysHandlers(ports),
        UsersHandlers(ports),
        CsrfHandlers(ports),
        SigningKeysHandlers(ports),
        WorkersHandlers(ports),
        SecurityHandlers(ports),
        AuditHandlers(ports),
        IncidentsHandlers(ports),
        InstallationHandlers(ports),
        SystemHandlers(ports),
        ResourcesHandlers(ports),
        BackupsHandlers(ports),
        MetricsHandlers(ports),
        HealthHandlers(ports),
    )


def transcribing(ports: Ports) -> Transcribe:
    """What transcribes recordings, as the settings say."""
    return Transcribe(
        files=ports.files,
        pool=ports.engines,
        settings=ports.settings.for_jobs,
        readers=ports.probe.readers,
        shelf=ports.shelf,
        fetch=ports.fetcher.fetch,
        admit=ports.uploads.quota.check_in,
        reuse=ports.settings.reuse_results,
    )


def _job_kinds(ports: Ports) -> Mapping[str, Handler]:
    return {KIND: transcribing(ports)}


PLUGIN: Final = Plugin(name="transcriber", apis=(API,), handlers=_handlers, job_kinds=_job_kinds, beside=making)
