"""The transcriber API: seed 001, with the paths of seed 000 as aliases."""

from __future__ import annotations

from typing import Final

from whispercore.api.transcriber.admin.api_keys import AdminApiKeys
from whispercore.api.transcriber.admin.audit import Audit
from whispercore.api.transcriber.admin.backups import Backups
from whispercore.api.transcriber.admin.csrf import Csrf
from whispercore.api.transcriber.admin.incidents import Incidents
from whispercore.api.transcriber.admin.installation import Installation
from whispercore.api.transcriber.admin.resources import Resources
from whispercore.api.transcriber.admin.security import Security
from whispercore.api.transcriber.admin.signing_keys import SigningKeys
from whispercore.api.transcriber.admin.system import System
from whispercore.api.transcriber.admin.users import Users
from whispercore.api.transcriber.admin.workers import Workers
from whispercore.api.transcriber.api_keys import ApiKeys
from whispercore.api.transcriber.auth import Auth
from whispercore.api.transcriber.batches import Batches
from whispercore.api.transcriber.chunked_uploads import ChunkedUploads
from whispercore.api.transcriber.dialect import TRANSCRIBER
from whispercore.api.transcriber.exports import Exports
from whispercore.api.transcriber.health import Health
from whispercore.api.transcriber.jobs import Jobs
from whispercore.api.transcriber.live import Live
from whispercore.api.transcriber.metrics import Metrics
from whispercore.api.transcriber.oidc import Oidc
from whispercore.api.transcriber.progress import Progress
from whispercore.api.transcriber.search import Search
from whispercore.api.transcriber.sharing import Shares
from whispercore.api.transcriber.tags import Tags
from whispercore.api.transcriber.transcripts import Transcripts
from whispercore.api.transcriber.tus import Tus
from whispercore.api.transcriber.webhooks import Webhooks
from whispercore.contract.group import Api

API: Final = Api(
    name="transcriber",
    title="Transcriber",
    version="1.0.0",
    dialect=TRANSCRIBER,
    groups=(
        Jobs,
        Batches,
        Progress,
        Live,
        Exports,
        Webhooks,
        Transcripts,
        Shares,
        Tags,
        Search,
        ChunkedUploads,
        Tus,
        Auth,
        Oidc,
        ApiKeys,
        AdminApiKeys,
        Users,
        Csrf,
        SigningKeys,
        Workers,
        Security,
        Audit,
        Incidents,
        Installation,
        System,
        Resources,
        Backups,
        Metrics,
        Health,
    ),
    prefixes=("/", "/api/v1/batch", "/api/v1/live"),
)
