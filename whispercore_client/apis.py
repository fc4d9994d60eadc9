"""What both clients have: a property for each group of endpoints."""

from __future__ import annotations

from typing import Generic

from whispercore.api.files_v1.files import Files
from whispercore.api.files_v1.keys import Keys
from whispercore.api.files_v1.links import Links
from whispercore.api.files_v1.transcriptions import Transcriptions
from whispercore.api.openai.audio import Audio
from whispercore.api.openai.client_secrets import ClientSecrets
from whispercore.api.openai.models import Models
from whispercore.api.openai.realtime import Realtime
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
from whispercore.api.v1.jobs import Jobs as SharedJobs
from whispercore.contract.group import T_co


class FilesV1(Generic[T_co]):
    """The groups of the API ``files-v1``."""

    def __init__(self, transport: T_co) -> None:
        self.transport = transport

    @property
    def files(self) -> Files[T_co]:
        """Files that are to be transcribed."""
        return Files(self.transport)

    @property
    def keys(self) -> Keys[T_co]:
        """Keys of files and users."""
        return Keys(self.transport)

    @property
    def links(self) -> Links[T_co]:
        """Links to files."""
        return Links(self.transport)

    @property
    def transcriptions(self) -> Transcriptions[T_co]:
        """Transcriptions."""
        return Transcriptions(self.transport)


class OpenAi(Generic[T_co]):
    """The groups of the API of OpenAI."""

    def __init__(self, transport: T_co) -> None:
        self.transport = transport

    @property
    def audio(self) -> Audio[T_co]:
        """Speech to text."""
        return Audio(self.transport)

    @property
    def models(self) -> Models[T_co]:
        """Models that can be used."""
        return Models(self.transport)

    @property
    def realtime(self) -> Realtime[T_co]:
        """Speech to text while it is spoken."""
        return Realtime(self.transport)

    @property
    def client_secrets(self) -> ClientSecrets[T_co]:
        """What pages and apps come with to live transcription."""
        return ClientSecrets(self.transport)


class V1(Generic[T_co]):
    """The groups of the paths that several APIs share."""

    def __init__(self, transport: T_co) -> None:
        self.transport = transport

    @property
    def jobs(self) -> SharedJobs[T_co]:
        """Jobs of all kinds."""
        return SharedJobs(self.transport)


class Apis(Generic[T_co]):
    """The groups of the transcriber API, and the other APIs.

    Args:
        transport: Sends the requests. Groups of others work with it too: ``Theirs(client.transport).create(…)``.
    """

    def __init__(self, transport: T_co) -> None:
        self.transport = transport

    @property
    def files_v1(self) -> FilesV1[T_co]:
        """The API ``files-v1``."""
        return FilesV1(self.transport)

    @property
    def openai(self) -> OpenAi[T_co]:
        """The API of OpenAI."""
        return OpenAi(self.transport)

    @property
    def v1(self) -> V1[T_co]:
        """The paths that several APIs share."""
        return V1(self.transport)

    @property
    def jobs(self) -> Jobs[T_co]:
        """Transcription jobs."""
        return Jobs(self.transport)

    @property
    def batches(self) -> Batches[T_co]:
        """Many recordings at once."""
        return Batches(self.transport)

    @property
    def progress(self) -> Progress[T_co]:
        """Progress of jobs."""
        return Progress(self.transport)

    @property
    def live(self) -> Live[T_co]:
        """Live transcription."""
        return Live(self.transport)

    @property
    def exports(self) -> Exports[T_co]:
        """Transcripts as files."""
        return Exports(self.transport)

    @property
    def transcripts(self) -> Transcripts[T_co]:
        """Transcripts, to be read and corrected."""
        return Transcripts(self.transport)

    @property
    def shares(self) -> Shares[T_co]:
        """Links to transcripts."""
        return Shares(self.transport)

    @property
    def tags(self) -> Tags[T_co]:
        """Tags of jobs."""
        return Tags(self.transport)

    @property
    def search(self) -> Search[T_co]:
        """Finding what was said."""
        return Search(self.transport)

    @property
    def chunked_uploads(self) -> ChunkedUploads[T_co]:
        """Recordings in chunks."""
        return ChunkedUploads(self.transport)

    @property
    def tus(self) -> Tus[T_co]:
        """Uploads by the protocol tus."""
        return Tus(self.transport)

    @property
    def webhooks(self) -> Webhooks[T_co]:
        """Being told when jobs are over."""
        return Webhooks(self.transport)

    @property
    def auth(self) -> Auth[T_co]:
        """Accounts."""
        return Auth(self.transport)

    @property
    def oidc(self) -> Oidc[T_co]:
        """Signing in with an OpenID Connect provider."""
        return Oidc(self.transport)

    @property
    def api_keys(self) -> ApiKeys[T_co]:
        """The caller's API keys."""
        return ApiKeys(self.transport)

    @property
    def admin_api_keys(self) -> AdminApiKeys[T_co]:
        """Everybody's API keys."""
        return AdminApiKeys(self.transport)

    @property
    def users(self) -> Users[T_co]:
        """Accounts, for administrators."""
        return Users(self.transport)

    @property
    def csrf(self) -> Csrf[T_co]:
        """Tokens against forged requests."""
        return Csrf(self.transport)

    @property
    def signing_keys(self) -> SigningKeys[T_co]:
        """The keys that tokens are signed with."""
        return SigningKeys(self.transport)

    @property
    def workers(self) -> Workers[T_co]:
        """Who does the jobs, on whichever machine."""
        return Workers(self.transport)

    @property
    def security(self) -> Security[T_co]:
        """The safety of the installation."""
        return Security(self.transport)

    @property
    def audit(self) -> Audit[T_co]:
        """The audit trail."""
        return Audit(self.transport)

    @property
    def incidents(self) -> Incidents[T_co]:
        """Incidents."""
        return Incidents(self.transport)

    @property
    def installation(self) -> Installation[T_co]:
        """The installation at a glance, for administrators."""
        return Installation(self.transport)

    @property
    def system(self) -> System[T_co]:
        """The performance of the system, for administrators."""
        return System(self.transport)

    @property
    def resources(self) -> Resources[T_co]:
        """What of the machine is used, for administrators."""
        return Resources(self.transport)

    @property
    def backups(self) -> Backups[T_co]:
        """Backups, for administrators."""
        return Backups(self.transport)

    @property
    def metrics(self) -> Metrics[T_co]:
        """Figures for Prometheus."""
        return Metrics(self.transport)

    @property
    def health(self) -> Health[T_co]:
        """Probes."""
        return Health(self.transport)
