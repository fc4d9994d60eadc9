"""Settings of a server: where its state is, where it listens, and how much it takes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import Attribute, Factory, evolve, field, frozen

from whispercore import parsers
from whispercore.errors import InvalidOption
from whispercore.people.networks import Network, network, networks
from whispercore.setting import setting
from whispercore.settings import Settings
from whispercore_server.limiting.profiles import DEFAULT, PROFILES
from whispercore_server.sign_in_settings import SignInSettings
from whispercore_server.upload_settings import MOST_MB

_KEY_LENGTH: Final = range(32, 201)
SECURE_COOKIES: Final = ("auto", "always", "never")
CSRF: Final = ("sessions", "always")
SCREENING: Final = ("off", "log", "block")
LEVELS: Final = ("debug", "info", "warning", "error")
LOG_FORMATS: Final = ("auto", "json", "text")


def _secret_text(text: str) -> str:
    if len(text) not in _KEY_LENGTH:
        raise ValueError(f"it has {len(text)} characters, but has to have 32 to 200")
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("it has to be printable ASCII characters without spaces")
    return text


def _check_secret(_: object, attribute: Attribute[Any], value: str | None) -> None:
    try:
        if value is not None:
            _secret_text(value)
    except ValueError as error:
        raise InvalidOption(attribute.name, str(error)) from None


def _master_key(text: str) -> str:
    from whispercore.encryption.master_key import MasterKey  # noqa: PLC0415 - needed by few processes

    return MasterKey.parsed(text).decode()


def _check_master_key(_: object, attribute: Attribute[Any], value: str | None) -> None:
    try:
        if value is not None:
            _master_key(value)
    except ValueError as error:
        raise InvalidOption(attribute.name, str(error)) from None


def _check_choice(allowed: tuple[str, ...]) -> Callable[[object, Attribute[Any], str], None]:
    def check(_: object, attribute: Attribute[Any], value: str) -> None:
        if value not in allowed:
            raise InvalidOption(attribute.name, f"{value!r} is not one of {', '.join(allowed)}")

    return check


def _trusted(values: Iterable[str | Network]) -> tuple[Network, ...]:
    """Networks, also of those who embed the server and write them as texts."""
    try:
        return tuple(network(str(one)) for one in values)
    except ValueError as error:
        raise InvalidOption("trusted_proxies", str(error)) from None


def _origins(values: Iterable[str]) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(parsers.origin(one) for one in values))
    except ValueError as error:
        raise InvalidOption("cors_origins", str(error)) from None


def _redis_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"redis", "rediss"} or not parts.hostname or parts.port == 0:
        raise ValueError("it is not the address of a Redis, such as redis://127.0.0.1:6379/0")
    return text


@frozen(kw_only=True)
class ServerSettings(SignInSettings):
    """What a server is told by its file, its environment and its command line.

    The metadata of each field names its variable, and describes it for people.
    """

    host: str = field(
        default="127.0.0.1",
        metadata=setting("WHISPERCORE_HOST", "The address to listen on; 0.0.0.0 for every network.", parsers.word),
    )
    port: int = field(
        default=8000,
        metadata=setting("WHISPERCORE_PORT", "The port to listen on; 0 for any free one.", parsers.whole(0, 65535)),
    )
    admin_key: str | None = field(
        default=None,
        repr=False,
        validator=_check_secret,
        metadata=setting(
            "WHISPERCORE_ADMIN_KEY",
            "API key of the first administrator, 32 to 200 characters; made and shown once when not set.",
            _secret_text,
            secret=True,
        ),
    )
    session_days: int = field(
        default=14,
        metadata=setting(
            "WHISPERCORE_SESSION_DAYS",
            "Days after which somebody who stayed away has to log in again.",
            parsers.whole(1, 3650),
        ),
    )
    session_max_days: int = field(
        default=30,
        metadata=setting(
            "WHISPERCORE_SESSION_MAX_DAYS",
            "Days after logging in when everybody has to log in again, however often he came.",
            parsers.whole(1, 3650),
        ),
    )
    secure_cookies: str = field(
        default="auto",
        validator=_check_choice(SECURE_COOKIES),
        metadata=setting(
            "WHISPERCORE_SECURE_COOKIES",
            "Whether browsers send their session over TLS only: always, never, or auto, for sessions that began so.",
            parsers.one_of(SECURE_COOKIES),
        ),
    )
    csrf: str = field(
        default="sessions",
        validator=_check_choice(CSRF),
        metadata=setting(
            "WHISPERCORE_CSRF",
            "Who needs a CSRF token to change something: sessions, which have a cookie, or always, which is everybody.",
            parsers.one_of(CSRF),
        ),
    )
    lockout: bool = field(
        default=True,
        metadata=setting(
            "WHISPERCORE_LOCKOUT",
            "Whether logins have to wait after several wrong passwords (1 or 0); 0 is for benchmarks and fuzzing.",
            parsers.flag,
        ),
    )
    token_key: str | None = field(
        default=None,
        repr=False,
        validator=_check_secret,
        metadata=setting(
            "WHISPERCORE_TOKEN_KEY",
            "What tokens are signed with, 32 to 200 characters; made and kept in the data folder when not set.",
            _secret_text,
            secret=True,
        ),
    )
    master_key: str | None = field(
        default=None,
        repr=False,
        validator=_check_master_key,
        metadata=setting(
            "WHISPERCORE_MASTER_KEY",
            "What all other keys are sealed to, AGE-SECRET-KEY-1…; in a file when not set.",
            _master_key,
            secret=True,
        ),
    )
    master_key_file: Path = field(
        default=Factory(lambda self: self.data / "master.key", takes_self=True),
        metadata=setting(
            "WHISPERCORE_MASTER_KEY_FILE",
            "The file of the master key, made at the first start; in the data folder when not set.",
            parsers.folder,
        ),
    )
    encrypt_files: bool = field(
        default=True,
        metadata=setting(
            "WHISPERCORE_ENCRYPT_FILES", "Whether recordings that come in are stored encrypted (1 or 0).", parsers.flag
        ),
    )
    encrypt_transcripts: bool = field(
        default=False,
        metadata=setting(
            "WHISPERCORE_ENCRYPT_TRANSCRIPTS",
            "Whether what is said in new jobs is stored encrypted (1 or 0); the search does not find it then.",
            parsers.flag,
        ),
    )
    audit_key: str | None = field(
        default=None,
        repr=False,
        validator=_check_secret,
        metadata=setting(
            "WHISPERCORE_AUDIT_KEY",
            "What the audit trail is signed with, 32 to 200 characters; made and kept in the data folder when not set.",
            _secret_text,
            secret=True,
        ),
    )
    audit_days: int = field(
        default=365,
        metadata=setting(
            "WHISPERCORE_AUDIT_DAYS", "Days that the audit trail goes back; 0 for ever.", parsers.whole(0, 36_500)
        ),
    )
    screening: str = field(
        default="block",
        validator=_check_choice(SCREENING),
        metadata=setting(
            "WHISPERCORE_SCREENING",
            "What happens to what looks like an attack: block refuses and notes it, log only notes it, off neither.",
            parsers.one_of(SCREENING),
        ),
    )
    slots: int = field(
        default=2,
        metadata=setting("WHISPERCORE_SLOTS", "Jobs that one process works on at once.", parsers.whole(1, 64)),
    )
    max_queue: int = field(
        default=10_000,
        metadata=setting(
            "WHISPERCORE_MAX_QUEUE", "Waiting jobs above which new ones are refused.", parsers.whole(1, 10**9)
        ),
    )
    fetch_models: bool = field(
        default=False,
        metadata=setting(
            "WHISPERCORE_FETCH_MODELS",
            "Whether a job may name a known model that has to be downloaded first (1 or 0).",
            parsers.flag,
        ),
    )
    reuse_results: bool = field(
        default=True,
        metadata=setting(
            "WHISPERCORE_REUSE_RESULTS",
            "Whether the same recording with the same options costs its owner one computation (1 or 0).",
            parsers.flag,
        ),
    )
    allow_internal_addresses: bool = field(
        default=False,
        metadata=setting(
            "WHISPERCORE_ALLOW_INTERNAL_ADDRESSES",
            "Whether recordings may be fetched from, and webhooks sent to, this machine and its networks (1 or 0).",
            parsers.flag,
        ),
    )
    max_json_kb: int = field(
        default=1024,
        metadata=setting(
            "WHISPERCORE_MAX_JSON_KB",
            "The largest JSON body, in KB of 1,024 bytes.",
            parsers.whole(1, MOST_MB),
        ),
    )
    backups_dir: Path = field(
        default=Factory(lambda self: self.data / "backups", takes_self=True),
        metadata=setting(
            "WHISPERCORE_BACKUPS",
            "The folder for backups, best on another disk; in the data folder when not set.",
            parsers.folder,
        ),
    )
    keep_backups: int = field(
        default=7,
        metadata=setting(
            "WHISPERCORE_KEEP_BACKUPS",
            "Completed backups that are kept; older ones are removed when a new one is there. 0 keeps all.",
            parsers.whole(0, 100_000),
        ),
    )
    metrics: bool = field(
        default=True,
        metadata=setting(
            "WHISPERCORE_METRICS", "Whether /metrics answers, which it does to everybody (1 or 0).", parsers.flag
        ),
    )
    rate_profile: str = field(
        default=DEFAULT,
        validator=_check_choice(tuple(PROFILES)),
        metadata=setting(
            "WHISPERCORE_RATE_PROFILE",
            f"The figures of rate limits: {', '.join(PROFILES)}.",
            parsers.one_of(PROFILES),
        ),
    )
    redis_url: str | None = field(
        default=None,
        repr=parsers.without_password,
        metadata=setting(
            "WHISPERCORE_REDIS_URL",
            "A Redis in which several servers count rate limits together; each counts for itself when not set.",
            _redis_url,
            show=parsers.without_password,
        ),
    )
    trusted_proxies: tuple[Network, ...] = field(
        default=(),
        converter=_trusted,
        metadata=setting(
            "WHISPERCORE_TRUSTED_PROXIES",
            "Networks of proxies that are believed where a request came from.",
            networks,
            show=parsers.listed,
        ),
    )
    forwarded_header: str = field(
        default="X-Forwarded-For",
        metadata=setting(
            "WHISPERCORE_FORWARDED_HEADER",
            "The header in which these proxies say it: X-Forwarded-For or Forwarded.",
            parsers.one_of(("X-Forwarded-For", "Forwarded")),
        ),
    )
    cors_origins: tuple[str, ...] = field(
        default=(),
        converter=_origins,
        metadata=setting(
            "WHISPERCORE_CORS_ORIGINS",
            "Origins whose web pages may use this server from a browser.",
            parsers.origins,
            show=parsers.listed,
        ),
    )
    log_level: str = field(
        default="info",
        validator=_check_choice(LEVELS),
        metadata=setting(
            "WHISPERCORE_LOG_LEVEL",
            f"From which severity on there is a log: {', '.join(LEVELS)}.",
            parsers.one_of(LEVELS),
        ),
    )
    log_format: str = field(
        default="auto",
        validator=_check_choice(LOG_FORMATS),
        metadata=setting(
            "WHISPERCORE_LOG_FORMAT",
            "The form of the log: json, text, or auto for text at a terminal and else JSON.",
            parsers.one_of(LOG_FORMATS),
        ),
    )
    log_requests: bool = field(
        default=False,
        metadata=setting("WHISPERCORE_LOG_REQUESTS", "Whether each answer is in the log (1 or 0).", parsers.flag),
    )
    library: Settings = field(factory=Settings)
    """Models and threads; in a file, the table ``[library]``."""

    @property
    def for_jobs(self) -> Settings:
        """Those of the library as jobs use them: where several run at once, their windows share the cores."""
        return evolve(self.library, throughput=self.library.throughput or self.slots > 1)

    @property
    def max_json_bytes(self) -> int:
        """The largest JSON body."""
        return self.max_json_kb << 10
