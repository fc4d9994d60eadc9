"""A server with OpenAI's API for speech as an engine: OpenAI's own, another whispercore, or any other."""

from __future__ import annotations

import functools
import io
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import evolve

from whispercore.engines.capabilities import Capabilities
from whispercore.engines.engine import (
    SAMPLE_RATE,
    Control,
    Decoded,
    DetectedLanguage,
    MakeEngine,
    Options,
    Window,
)
from whispercore.engines.openai import answers
from whispercore.errors import EngineFailed, InvalidOption
from whispercore.settings import Settings
from whispercore.transcript import Fingerprint

if TYPE_CHECKING:
    from whispercore.outgoing.speech_server import Patience, SpeechServer

WINDOW_S: Final = 120.0
"""Longer than Whisper's own window, since the server cuts for itself; 4 MB as it is sent."""
CALLS: Final = 4
"""How many windows are on their way at once."""
_HEARD_S: Final = 30.0
"""So much of a window is sent to detect the language."""
_LEAST_SAMPLES: Final = SAMPLE_RATE // 5


class OpenAI:
    """A model of an OpenAI-compatible server.

    What such servers have no field for is not declared, so that it is refused: ``beam_size``, ``temperature_step``, and
    words of translations. A temperature of 0 lets OpenAI's own server raise it by itself.

    Args:
        model: The model's name, as a path: it lies on no disk.
        sha256: Of its name and its server, for the fingerprint.
        threads: Of no meaning here.
        settings: Where the server is, and the key; the environment if not given.
        patience: How long the server is waited for.

    Raises:
        InvalidOption: There is no server in the settings, or the network is off.
    """

    declared_capabilities = Capabilities(
        max_window_s=WINDOW_S,
        slots=CALLS,
        words=True,
        translate=True,
        prompt=True,
        temperature=True,
        detects_language=True,
        device="remote",
    )

    def __init__(
        self,
        model: Path,
        *,
        sha256: str,
        threads: int | None = None,  # noqa: ARG002 (the protocol)
        settings: Settings | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._model = model.as_posix()
        self._sha256 = sha256
        self._server = _server(settings if settings is not None else Settings.from_environment(), patience)
        self._plain = False
        """The server gives no segments with this model, only text."""

    @classmethod
    def configured(cls, settings: Settings) -> MakeEngine:
        """What makes it by these settings."""
        return functools.partial(cls, settings=settings)

    @property
    def capabilities(self) -> Capabilities:
        """What such servers can do; a model that gives text alone has no words, which is known once it was asked."""
        return evolve(self.declared_capabilities, words=not self._plain)

    @property
    def fingerprint(self) -> Fingerprint:
        """What is known of what the text depends on: another day, the same name may be another model."""
        return Fingerprint(
            engine=f"openai {self._server.host} {self._model}",
            model_sha256=self._sha256,
            device="remote",
            threads=1,
            repeatable=False,
        )

    def load(self) -> None:
        """Nothing: the model is loaded elsewhere, and a server that is down now may be back for the first window."""

    def detect_language(self, window: Window, control: Control) -> DetectedLanguage:
        """The language of the first half minute, as the server names it; it tells no probability, so that is 1.

        Raises:
            InvalidOption: This server does not tell.
        """
        head = window.samples[: round(_HEARD_S * SAMPLE_RATE) * 4]
        code = self._asked("audio/transcriptions", [], head, control).code
        if code is None:
            raise InvalidOption("language", f"the model {self._model!r} does not tell which one it hears; name it")
        return DetectedLanguage(code=code, probability=1.0)

    def decode(self, windows: Sequence[Window], options: Options, control: Control) -> list[Decoded]:
        """Segments for each window."""
        return [self._decode(window, options, control) for window in windows]

    def unload(self) -> None:
        """End what is on its way."""
        self._server.close()

    def _decode(self, window: Window, options: Options, control: Control) -> Decoded:
        control.check()
        control.progress(0.0)
        fields = [("temperature", str(options.temperature))]
        if options.prompt:
            fields.append(("prompt", options.prompt))
        if options.language is not None and not options.translate:
            fields.append(("language", options.language))
        if options.words and not options.translate:
            fields += [("timestamp_granularities[]", name) for name in ("word", "segment")]
        path = "audio/translations" if options.translate else "audio/transcriptions"
        answer = self._asked(path, fields, window.samples, control)
        control.check()
        control.progress(1.0)
        return Decoded(
            segments=answers.segments(answer, window, words=options.words),
            parameters={"model": self._model, **{name: value for name, value in fields if name != "prompt"}},
        )

    def _asked(self, path: str, fields: list[tuple[str, str]], samples: bytes, control: Control) -> answers.Answer:
        from whispercore.outgoing.speech_server import Refused  # noqa: PLC0415 - it loads the HTTP client

        server, sound = self._server, _wav(samples)
        while True:
            control.check()
            kind = "json" if self._plain else "verbose_json"
            timed = [one for one in fields if not self._plain or one[0] != "timestamp_granularities[]"]
            form = [("model", self._model), ("response_format", kind), *timed]
            try:
                return answers.read(server.post(path, form, sound, on_cancel=control.on_cancel), server.host)
            except Refused as refused:
                if refused.param != "response_format" or self._plain:
                    raise EngineFailed(refused.reason) from None
                self._plain = True


def _server(settings: Settings, patience: Patience | None) -> SpeechServer:
    from whispercore.outgoing.speech_server import Patience, SpeechServer  # noqa: PLC0415 - it loads the HTTP client

    if settings.offline:
        raise InvalidOption("engine", "offline mode forbids asking a server")
    if settings.openai_url is None:
        raise InvalidOption("WHISPERCORE_OPENAI_URL", "it has to name the server that is to be asked")
    waits = patience if patience is not None else Patience(answer_s=settings.openai_timeout_s)
    return SpeechServer(settings.openai_url, key=settings.openai_key, patience=waits)


def _wav(samples: bytes) -> bytes:
    """The sound as a WAV file of 16 bits, which every server reads; at least 0.2 s, which each takes."""
    import numpy as np  # noqa: PLC0415 - programs that only look at what this engine can do start without it

    sound = np.frombuffer(samples.ljust(_LEAST_SAMPLES * 4, b"\0"), np.float32)
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()
