"""Settings of live transcription: how many sessions, how long, how fast."""

from __future__ import annotations

from attrs import field, frozen

from whispercore import parsers
from whispercore.setting import setting
from whispercore_server.database_settings import DatabaseSettings


@frozen(kw_only=True)
class LiveSettings(DatabaseSettings):
    """What a server is told about live transcription."""

    live_sessions: int = field(
        default=3,
        metadata=setting(
            "WHISPERCORE_LIVE_SESSIONS",
            "Live sessions that one user may have open; 0 for none at all.",
            parsers.whole(0, 10_000),
        ),
    )
    live_minutes: int = field(
        default=240,
        metadata=setting(
            "WHISPERCORE_LIVE_MINUTES",
            "Minutes of sound after which a live session ends by itself.",
            parsers.whole(1, 100_000),
        ),
    )
    live_kb_per_s: int = field(
        default=512,
        metadata=setting(
            "WHISPERCORE_LIVE_KB_PER_S",
            "How fast sound of a live session is taken in, in KB of 1,024 bytes a second; 16 kHz need 32.",
            parsers.whole(8, 1 << 20),
        ),
    )
    live_grace_s: int = field(
        default=30,
        metadata=setting(
            "WHISPERCORE_LIVE_GRACE_S",
            "Seconds for which a live session waits for its client after a cut; then it ends.",
            parsers.whole(0, 3600),
        ),
    )
