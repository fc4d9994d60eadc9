"""Settings of jobs: how long, how often, and when what is over is cleaned up."""

from __future__ import annotations

from attrs import field, frozen

from whispercore import parsers
from whispercore.setting import setting
from whispercore_server.live_settings import LiveSettings


@frozen(kw_only=True)
class JobSettings(LiveSettings):
    """What a server is told about jobs."""

    job_timeout_minutes: int = field(
        default=120,
        metadata=setting(
            "WHISPERCORE_JOB_TIMEOUT_MINUTES",
            "Minutes without any progress after which a job fails; one that moves is never stopped.",
            parsers.whole(1, 100_000),
        ),
    )
    warm_models: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            "WHISPERCORE_WARM_MODELS",
            "Models that each worker loads when it starts, with commas between, and keeps while no other needs "
            "the room.",
            parsers.words,
            show=parsers.listed,
        ),
    )
    stop_within_s: int = field(
        default=30,
        metadata=setting(
            "WHISPERCORE_STOP_WITHIN_S",
            "Seconds that a server or worker has to end in order once it is asked to, two thirds of them for requests "
            "that are being answered; then it ends as it is.",
            parsers.whole(1, 3600),
        ),
    )
    max_retries: int = field(
        default=3,
        metadata=setting(
            "WHISPERCORE_MAX_RETRIES",
            "How often a job is tried again by itself before it fails; after 1, 2, 4 … minutes.",
            parsers.whole(0, 100),
        ),
    )
    cleanup_hours: int = field(
        default=24,
        metadata=setting(
            "WHISPERCORE_CLEANUP_HOURS",
            "Hours between two cleanings: old events, ended sessions, uploads and files that nobody finished.",
            parsers.whole(1, 8760),
        ),
    )

    @property
    def job_timeout_s(self) -> float:
        """How long a job may stand still."""
        return self.job_timeout_minutes * 60.0

    @property
    def cleanup_s(self) -> float:
        """How long nothing is cleaned up."""
        return self.cleanup_hours * 3600.0
