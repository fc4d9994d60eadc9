"""Settings of the library: where models live, whether the network may be used, and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import field, frozen

from whispercore import parsers
from whispercore.setting import load, setting
from whispercore.transcript import WordTimes

HUB = "https://huggingface.co/ggerganov/whisper.cpp/resolve/main"
"""Where whisper.cpp publishes its models."""

TABLE: Final = "library"
"""Where these settings stand in a file."""


def default_models_dir() -> Path:
    """The folder for models when none is named: inside the user's data folder."""
    from platformdirs import user_data_path  # noqa: PLC0415 - needed by few processes

    return user_data_path("whispercore") / "models"


@frozen(kw_only=True)
class Settings:
    """What whispercore is told by the environment.

    The metadata of each field names its variable, and describes it for people.
    """

    models_dir: Path = field(
        factory=default_models_dir,
        metadata=setting("WHISPERCORE_MODELS", "The folder where models are kept.", parsers.folder),
    )
    offline: bool = field(
        default=False,
        metadata=setting("WHISPERCORE_OFFLINE", "Never use the network (1 or 0).", parsers.flag),
    )
    hub: str = field(
        default=HUB,
        repr=parsers.without_password,
        metadata=setting(
            "WHISPERCORE_HUB",
            "The address that models are downloaded from.",
            parsers.address,
            show=parsers.without_password,
        ),
    )
    default_model: str = field(
        default="small",
        metadata=setting("WHISPERCORE_MODEL", "The model to use when none is named.", parsers.word),
    )
    voice_model: str = field(
        default="3dspeaker-eres2net-base",
        metadata=setting(
            "WHISPERCORE_VOICE_MODEL", "The model that tells voices apart, of `whispercore models list`.", parsers.word
        ),
    )
    threads: int | None = field(
        default=None,
        metadata=setting(
            "WHISPERCORE_THREADS", "Threads to compute with; as many as fit when not set.", parsers.whole(1, 1024)
        ),
    )
    devices: tuple[str, ...] = field(
        default=("auto",),
        metadata=setting(
            "WHISPERCORE_DEVICES",
            "Graphics cards to compute on, by number or UUID, with commas between: one process for each. auto for all "
            "of NVIDIA that the engine finds.",
            parsers.words,
            show=parsers.listed,
        ),
    )
    throughput: bool = field(
        default=False,
        metadata=setting(
            "WHISPERCORE_THROUGHPUT",
            "Choose threads for several recordings at once (1 or 0), not for one; a server does that by itself.",
            parsers.flag,
        ),
    )
    short_audio_context: bool = field(
        default=False,
        metadata=setting(
            "WHISPERCORE_SHORT_AUDIO_CONTEXT",
            "Encode short windows in less than 30 seconds of context (1 or 0): quicker, with whisper.cpp.",
            parsers.flag,
        ),
    )
    word_times: WordTimes = field(
        default="dtw",
        metadata=setting(
            "WHISPERCORE_WORD_TIMES",
            "Times of words with whisper.cpp: dtw aligns them with the sound where the model and the memory allow it, "
            "tokens does not, and takes less time and memory.",
            parsers.one_of(("dtw", "tokens")),
        ),
    )
    keep_alive_s: float = field(
        default=300.0,
        metadata=setting("WHISPERCORE_KEEP_ALIVE_S", "Seconds that an idle model stays loaded.", parsers.seconds),
    )
    models_memory_mb: int = field(
        default=0,
        metadata=setting(
            "WHISPERCORE_MODELS_MEMORY_MB",
            "Memory that all loaded models of a process may take, in MB of 1,048,576 bytes; 0 for what the machine has "
            "free.",
            parsers.whole(0, 1 << 24),
        ),
    )
    openai_url: str | None = field(
        default=None,
        repr=parsers.without_password,
        metadata=setting(
            "WHISPERCORE_OPENAI_URL",
            "The address of an OpenAI-compatible server, for models whose names begin with openai: .",
            parsers.address,
            show=parsers.without_password,
        ),
    )
    openai_key: str | None = field(
        default=None,
        repr=False,
        metadata=setting("WHISPERCORE_OPENAI_KEY", "The key for that server.", parsers.key, secret=True),
    )
    openai_models: tuple[str, ...] = field(
        default=("whisper-1",),
        metadata=setting(
            "WHISPERCORE_OPENAI_MODELS",
            "The models of that server that may be asked for, as `openai:NAME`.",
            parsers.words,
            show=parsers.listed,
        ),
    )
    openai_timeout_s: float = field(
        default=600.0,
        metadata=setting("WHISPERCORE_OPENAI_TIMEOUT_S", "Seconds that one answer may take.", parsers.seconds),
    )
    fonts_dir: Path | None = field(
        default=None,
        metadata=setting(
            "WHISPERCORE_FONTS",
            "A folder with fonts for PDF, beside the one of this package: for Chinese, Hindi or Thai, for instance.",
            parsers.folder,
        ),
    )

    @property
    def models_memory_bytes(self) -> int | None:
        """What all loaded models may take; None for what the machine has free."""
        return self.models_memory_mb << 20 or None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings; a variable that is not set, or empty, leaves the default.

        Where ``WHISPERCORE_CONFIG`` names a file, its table ``[library]`` is read first.

        Args:
            environ: The variables; those of this process by default.

        Raises:
            InvalidOption: A variable has a value that cannot work. ``option`` is its name.
        """
        return load(cls, environ=environ, table=TABLE).settings
