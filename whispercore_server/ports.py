"""What plugins are given to work with. Made without any I/O; opened and closed in order by ``opened``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from attrs import frozen

from whispercore.audit.records import Records
from whispercore.audit.trail import Audit
from whispercore.backup.backups import Backups
from whispercore.batches.batches import Batches
from whispercore.batches.making import BatchMaker
from whispercore.batches.unpacking import Unpacking
from whispercore.clock import Clock
from whispercore.database.session import Database
from whispercore.encryption.file_keys import FileKeys
from whispercore.encryption.key_pairs import KeyPairs
from whispercore.encryption.master_key import MasterKey
from whispercore.encryption.sent_keys import SentKeys
from whispercore.encryption.sharing import FileSharing
from whispercore.encryption.texts import TextKeys
from whispercore.engines.engine import MakeEngine
from whispercore.engines.pool import EnginePool, find_engine
from whispercore.events import Events, LocalEvents
from whispercore.files.arrivals import Arrivals
from whispercore.files.files import Files
from whispercore.files.links import FileLinks
from whispercore.files.stored import StoredFiles
from whispercore.ids import Ids, Uuid7Ids
from whispercore.incidents.incidents import Incidents
from whispercore.jobs.dispatch import Dispatch
from whispercore.jobs.local import LocalDispatch
from whispercore.jobs.queue_limit import QueueLimit
from whispercore.jobs.table import Jobs
from whispercore.key_fingerprints import check_key
from whispercore.measures.measures import Measures
from whispercore.measures.probes import DatabaseProbe, RedisProbe, StorageProbe, WorkerProbe
from whispercore.measures.services import Services
from whispercore.measures.whisper_probe import WhisperProbe
from whispercore.models.store import ModelStore
from whispercore.oidc.sign_in import LASTS_S, OidcSignIn
from whispercore.outgoing.fetching import Fetcher
from whispercore.people.auth import Auth
from whispercore.people.csrf import CsrfTokens
from whispercore.people.entry import Entry
from whispercore.people.keys import Keys
from whispercore.people.lockout import Lockout
from whispercore.people.password_changes import PasswordChanges
from whispercore.people.passwords import Passwords
from whispercore.people.people import People
from whispercore.people.recognition import Recognition
from whispercore.people.refreshing import Refreshing
from whispercore.people.roster import Roster
from whispercore.people.seen import Seen
from whispercore.people.sessions import Sessions
from whispercore.people.token_key import TokenKey
from whispercore.people.tokens import Tokens
from whispercore.people.users import Users
from whispercore.search.search import IndexSearch, Search
from whispercore.tasks.answers import Answers
from whispercore.tasks.live_recording import LiveRecordings
from whispercore.tasks.probe import Probe
from whispercore.tasks.shelf import Shelf
from whispercore.tasks.submission import Submissions
from whispercore.transcripts.sharing import Shares
from whispercore.transcripts.tags import Tags
from whispercore.transcripts.transcripts import Transcripts
from whispercore.uploads.quota import Quota
from whispercore.uploads.uploads import Uploads
from whispercore.webhooks.deliveries import Deliveries
from whispercore.webhooks.sending import Sender
from whispercore.webhooks.webhooks import Webhooks
from whispercore_server.auditing import audit_of
from whispercore_server.cookies import SIGN_IN, SessionCookies
from whispercore_server.follow import Following
from whispercore_server.limiting.counters import Counters
from whispercore_server.live_sessions import LiveSessions
from whispercore_server.services import check_services
from whispercore_server.settings import ServerSettings
from whispercore_server.storage import blobs_of, check_owner


@frozen(kw_only=True)
class Ports:
    """What a server consists of."""

    settings: ServerSettings
    clock: Clock
    ids: Ids
    database: Database
    audit: Audit
    records: Records
    incidents: Incidents
    key_pairs: KeyPairs
    file_sharing: FileSharing
    sent_keys: SentKeys
    files: Files
    arrivals: Arrivals
    stored_files: StoredFiles
    file_links: FileLinks
    jobs: Jobs
    transcripts: Transcripts
    shares: Shares
    tags: Tags
    search: Search
    following: Following
    live: LiveSessions
    people: People
    passwords: Passwords
    users: Users
    keys: Keys
    counters: Counters
    token_key: TokenKey
    tokens: Tokens
    recognition: Recognition
    seen: Seen
    auth: Auth
    sessions: Sessions
    entry: Entry
    refreshing: Refreshing
    password_changes: PasswordChanges
    roster: Roster
    lockout: Lockout
    csrf: CsrfTokens
    cookies: SessionCookies
    oidc: OidcSignIn | None
    oidc_cookies: SessionCookies
    models: ModelStore
    engines: EnginePool
    probe: Probe
    shelf: Shelf
    fetcher: Fetcher
    submissions: Submissions
    answers: Answers
    batches: Batches
    batch_maker: BatchMaker
    uploads: Uploads
    webhooks: Webhooks
    webhook_deliveries: Deliveries
    webhook_sender: Sender
    backups: Backups
    measures: Measures

    @classmethod
    def of(
        cls,
        settings: ServerSettings,
        engines: Mapping[str, MakeEngine] | None = None,
        *,
        clock: Clock | None = None,
        auth: Auth | None = None,
    ) -> Ports:
        """The ports that the settings ask for; nothing is opened yet.

        Args:
            settings: Where everything is.
            engines: Those that plugins bring, by name.
            clock: By whose time everything goes; the database's if not given.
            auth: Says who is calling, in place of our own users, tokens and keys.
        """
        texts = TextKeys(seals=settings.encrypt_transcripts)
        database = Database(settings.database_url, clock=clock, connections=settings.connections, texts=texts)
        clock = database.clock  # all machines have the same
        ids = Uuid7Ids(clock)
        audit = audit_of(settings, database)
        jobs = Jobs(database, ids=ids, audit=audit, dispatch=_dispatch(database), events=_events(database))
        blobs = blobs_of(settings)
        key_pairs = KeyPairs(database, MasterKey(settings.master_key_file, text=settings.master_key))
        file_keys = FileKeys(database, key_pairs)
        files = Files(
            database,
            blobs,
            spool=settings.data / "spool",
            keys=file_keys,
            seal=settings.encrypt_files,
            part_bytes=settings.part_bytes,
            clock=clock,
            ids=ids,
        )
        file_sharing = FileSharing(database, files, file_keys, audit=audit)
        models = ModelStore(settings.library)
        probe, shelf = Probe(ready=settings.decoder_ready), Shelf()
        fetcher = Fetcher(
            files,
            allow_internal=settings.allow_internal_addresses,
            limit_bytes=settings.max_direct_upload_bytes,
            screens=settings.screening == "block",
        )
        quota = Quota(database, settings.user_quota_bytes)
        submissions = Submissions(
            files=files,
            jobs=jobs,
            models=models,
            find_engine=_finder(engines or {}),
            library=settings.library,
            probe=probe,
            shelf=shelf,
            audit=audit,
            fetcher=fetcher,
            fetch_models=settings.fetch_models,
            admit=quota.check_in,
            queue_limit=QueueLimit(jobs.queue, settings.max_queue),
            max_retries=settings.max_retries,
        )
        batches = Batches(database, dispatch=jobs.dispatch, ids=ids, audit=audit)
        uploads = Uploads.of(
            database,
            blobs,
            files,
            submissions=submissions,
            jobs=jobs,
            audit=audit,
            clock=clock,
            ids=ids,
            lasts=settings.upload_lasts,
            most_open=settings.max_open_uploads,
            most_parallel=settings.max_parallel_parts,
            quota=quota,
        )
        pool = EnginePool.of(settings.library, _finder(engines or {}))
        token_key = TokenKey(settings.data / "token.key", text=settings.token_key)
        deliveries = Deliveries(database, ids=ids, audit=audit)
        people = People.of(
            database,
            audit,
            passwords=Passwords(),
            token_key=token_key,
            key_pairs=key_pairs,
            ids=ids,
            lockout=settings.lockout,
            session_lasts=timedelta(days=settings.session_days),
            session_longest=timedelta(days=settings.session_max_days),
        )
        return cls(
            settings=settings,
            clock=clock,
            ids=ids,
            database=database,
            audit=audit,
            records=Records(database),
            incidents=Incidents(database, audit),
            key_pairs=key_pairs,
            file_sharing=file_sharing,
            sent_keys=SentKeys(key_pairs, file_sharing),
            files=files,
            arrivals=Arrivals(database, jobs.events, clock=clock, ids=ids),
            stored_files=StoredFiles(database),
            file_links=FileLinks(database, files, ids=ids, audit=audit),
            jobs=jobs,
            transcripts=Transcripts(database, audit=audit),
            shares=Shares(database, ids=ids, audit=audit),
            tags=Tags(database, audit=audit),
            search=IndexSearch(database),
            following=Following(jobs),
            live=LiveSessions(
                settings,
                engines=pool,
                recordings=LiveRecordings(files, jobs, admit=quota.check_in),
                clock=clock,
                ids=ids,
            ),
            counters=Counters(clock, settings.redis_url),
            people=people,
            passwords=people.passwords,
            users=people.users,
            keys=people.keys,
            token_key=token_key,
            tokens=people.tokens,
            recognition=people.recognition,
            seen=people.seen,
            auth=auth if auth is not None else people.auth,
            sessions=people.sessions,
            entry=people.entry,
            refreshing=people.refreshing,
            password_changes=people.password_changes,
            roster=people.roster,
            lockout=people.lockout,
            csrf=people.csrf,
            cookies=SessionCookies(settings.secure_cookies, int(people.sessions.longest.total_seconds())),
            oidc=None if (oidc := settings.oidc) is None else OidcSignIn(oidc, database, people, audit),
            oidc_cookies=SessionCookies(settings.secure_cookies, LASTS_S, SIGN_IN),
            models=models,
            engines=pool,
            probe=probe,
            shelf=shelf,
            fetcher=fetcher,
            submissions=submissions,
            answers=Answers(submissions=submissions, jobs=jobs, files=files),
            batches=batches,
            batch_maker=BatchMaker(
                database,
                files=files,
                batches=batches,
                submissions=submissions,
                unpacking=Unpacking(
                    files, limit_bytes=settings.max_direct_upload_bytes, screens=settings.screening == "block"
                ),
                quota=uploads.quota,
            ),
            uploads=uploads,
            webhooks=Webhooks(
                database,
                ids=ids,
                audit=audit,
                token_key=token_key,
                allow_internal=settings.allow_internal_addresses,
            ),
            webhook_deliveries=deliveries,
            webhook_sender=Sender(
                deliveries, clock=clock, token_key=token_key, allow_internal=settings.allow_internal_addresses
            ),
            backups=Backups(
                database,
                blobs,
                settings.backups_dir,
                audit=audit,
                clock=clock,
                ids=ids,
                keep=settings.keep_backups,
            ),
            measures=Measures(
                clock=clock,
                database=database,
                audit=audit,
                blobs=blobs,
                queue=jobs.queue,
                engines=pool,
                data=settings.data,
                services=Services(
                    clock,
                    {
                        "database": DatabaseProbe(database),
                        "redis": RedisProbe(settings.redis_url),
                        "whisper": WhisperProbe(models, settings.library.default_model, pool, clock),
                        "storage": StorageProbe(files, blobs),
                        "worker": WorkerProbe(jobs.queue),
                    },
                ),
            ),
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Open what has to be; SQLite is brought up to date. At the end all is closed, the last opened first.

        Raises:
            InvalidOption: The store of recordings cannot be used as the settings say, or is another installation's.
            CannotStart: Several services cannot be used.
            Conflict: Recordings are being sealed.
        """
        async with AsyncExitStack() as stack:
            self.settings.data.mkdir(parents=True, exist_ok=True)
            stack.push_async_callback(self.counters.close)
            await check_services(self.settings, self.database, self.counters)
            await stack.enter_async_context(self.database)
            await self.database.prepare()
            await check_owner(self.settings, self.database)
            await stack.enter_async_context(self.jobs.events.opened())
            await check_key(self.database, self.token_key)  # told now, and not at each login
            self.database.texts.unlock(await self.key_pairs.workers())  # so is a master key that is another one
            await self.audit.open()
            stack.push_async_callback(self.audit.close)
            stack.push_async_callback(self.people.close)
            if self.oidc is not None:
                await self.oidc.open()
                stack.push_async_callback(self.oidc.close)
            stack.push_async_callback(self.files.close)
            stack.push_async_callback(self.uploads.close)
            stack.callback(self.engines.close)
            stack.callback(self.probe.close)
            stack.push_async_callback(self.measures.services.close)
            stack.push_async_callback(self.backups.close)
            await stack.enter_async_context(self.files.used())
            await self.files.sweep(self.clock.now())
            await self.uploads.sweep(self.clock.now())
            await self.backups.sweep()
            yield


def _dispatch(database: Database) -> Dispatch:
    if database.dialect == "sqlite":
        return LocalDispatch(database)
    from whispercore.jobs.procrastinate import ProcrastinateDispatch  # noqa: PLC0415 - an extra

    return ProcrastinateDispatch(database)


def _events(database: Database) -> Events:
    if database.dialect == "sqlite":
        return LocalEvents()
    from whispercore.jobs.postgres_events import PostgresEvents  # noqa: PLC0415 - an extra

    return PostgresEvents(database)


def _finder(brought: Mapping[str, MakeEngine]) -> Callable[[str], MakeEngine]:
    return lambda name: brought[name] if name in brought else find_engine(name)
