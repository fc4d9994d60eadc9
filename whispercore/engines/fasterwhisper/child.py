"""The engine's child: a model of CTranslate2, and windows in batches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from attrs import frozen

from whispercore.audio import MAX_WINDOW_S
from whispercore.children.frames import Channel
from whispercore.engines.engine import SAMPLE_RATE, Scalar
from whispercore.engines.fasterwhisper.batches import Batches
from whispercore.engines.whispercpp import child
from whispercore.engines.whispercpp.messages import CODEC, Decode, Device, Load
from whispercore.engines.whispercpp.states import Aborted, AbortFlag
from whispercore.quality import judged
from whispercore.transcript import Segment, Word, WordTimes

if TYPE_CHECKING:
    from faster_whisper.transcribe import Segment as Said
    from faster_whisper.transcribe import Word as SaidWord

__all__ = ["CODEC", "serve"]

_WINDOW: Final = round(MAX_WINDOW_S * SAMPLE_RATE)
_FRAMES_PER_SECOND: Final = 100
_MOST_TOKENS: Final = 216
"""In a window; about as many as in whisper.cpp, and few enough to fit behind the longest prompt."""
_LEAST_SAMPLES: Final = SAMPLE_RATE // 5

Samples = np.ndarray[tuple[int], np.dtype[np.float32]]


@frozen
class _Asked:
    """What windows of one batch have in common."""

    language: str | None
    translate: bool
    prompt: str | None
    temperatures: tuple[float, ...]
    beam_size: int
    words: bool


class Model:
    """A model on all cards, or on the processor.

    Args:
        path: Its folder.
        threads: Of the processor.
        batch: How many windows are decoded together.

    Raises:
        RuntimeError: It cannot be read.
    """

    def __init__(self, path: str, threads: int, batch: int) -> None:
        import ctranslate2  # noqa: PLC0415 - an extra
        from faster_whisper import WhisperModel  # noqa: PLC0415 - as above

        from whispercore.engines.fasterwhisper.attempts import Attempts  # noqa: PLC0415 - as above

        cards = ctranslate2.get_cuda_device_count()
        self._device = "cuda" if cards else "cpu"
        index: int | list[int] = list(range(cards)) if cards else 0
        self._model = WhisperModel(
            path, device=self._device, device_index=index, cpu_threads=threads, local_files_only=True
        )
        self._pipeline = Attempts(self._model)
        self._batch = batch
        self._decoded = Batches[Samples, tuple[Segment, ...]](self._compute, batch)
        self._version = ctranslate2.__version__

    @property
    def version(self) -> str:
        """Of CTranslate2, and the type that it computes in."""
        return f"{self._version} {self._model.model.compute_type}"

    @property
    def system(self) -> str:
        """In the words of whisper.cpp."""
        return "CUDA = 1" if self._device == "cuda" else "CPU = 1"

    @property
    def device(self) -> Device:
        """What it computes on; CTranslate2 does not name cards."""
        return Device(self._device)

    @property
    def multilingual(self) -> bool:
        """Whether it knows more than English."""
        return bool(self._model.model.is_multilingual)

    @property
    def word_times(self) -> tuple[WordTimes, ...]:
        """How words get their times."""
        return ("dtw",)

    @property
    def tries_again(self) -> bool:
        """Whether a window that is decoded badly is decoded again, at higher temperatures."""
        return True

    def detect_language(self, samples: bytes, abort: AbortFlag) -> dict[str, float]:
        """The probability of each language.

        Raises:
            Aborted: The flag was set.
        """
        _, _, probabilities = self._model.detect_language(_sound(samples))
        if abort.is_set:
            raise Aborted
        return {code: min(1.0, float(value)) for code, value in probabilities}

    def decode(
        self, samples: bytes, request: Decode, abort: AbortFlag, on_progress: Callable[[float], None]
    ) -> tuple[tuple[Segment, ...], dict[str, Scalar]]:
        """Segments in the sound, and what the computation was called with.

        Raises:
            Aborted: The flag was set.
        """
        if abort.is_set:
            raise Aborted
        on_progress(0.0)
        temperatures = _temperatures(request.temperature, request.temperature_step)
        asked = _Asked(
            request.language, request.translate, request.prompt, temperatures, request.beam_size, request.words
        )
        found = self._decoded(asked, _sound(samples))
        if abort.is_set:
            raise Aborted
        on_progress(1.0)
        return found, {
            "language": asked.language,
            "translate": asked.translate,
            "temperature": request.temperature,
            "temperature_step": request.temperature_step,
            "beam_size": asked.beam_size,
            "batch_size": self._batch,
        }

    def _compute(self, key: Hashable, windows: Sequence[Samples]) -> list[tuple[Segment, ...]]:
        assert isinstance(key, _Asked)
        sound = np.zeros(_WINDOW * len(windows), np.float32)
        clips = []
        for number, window in enumerate(windows):
            sound[number * _WINDOW :][: window.size] = window
            begin_s = number * MAX_WINDOW_S
            clips.append({"start": begin_s, "end": begin_s + window.size / SAMPLE_RATE})
        self._pipeline.temperatures = key.temperatures
        said, _ = self._pipeline.transcribe(
            sound,
            language=key.language,
            task="translate" if key.translate else "transcribe",
            beam_size=key.beam_size,
            initial_prompt=key.prompt,
            word_timestamps=key.words,
            without_timestamps=False,
            max_new_tokens=_MOST_TOKENS,
            vad_filter=False,
            clip_timestamps=clips,
            batch_size=self._batch,
        )
        found: list[list[Segment]] = [[] for _ in windows]
        for one in said:
            number = round(one.seek / _FRAMES_PER_SECOND / MAX_WINDOW_S)
            limit_s = windows[number].size / SAMPLE_RATE
            segment = _segment(one, number * MAX_WINDOW_S, found[number], limit_s)
            if segment is not None:
                found[number].append(segment)
        return [tuple(segments) for segments in found]


def serve(channel: Channel) -> None:
    """Load the model of the first message, then answer until the channel ends."""
    child.serve_with(channel, _open)


def _open(load: Load) -> tuple[child.Computation, int]:
    if not Path(load.path).is_dir():
        raise RuntimeError("models of CTranslate2 are folders, and this is none")
    return Model(load.path, load.threads, load.slots), load.slots


def _temperatures(first: float, step: float) -> tuple[float, ...]:
    """Of each attempt, as whisper.cpp counts them."""
    if not step:
        return (first,)
    return tuple(round(first + number * step, 6) for number in range(int((1 - first) / step + 1e-6) + 1))


def _segment(said: Said, offset_s: float, before: Sequence[Segment], limit_s: float) -> Segment | None:
    text = said.text.strip()
    if not text:
        return None
    start_s = _between(said.start - offset_s, before[-1].start_s if before else 0.0, limit_s)
    end_s = _between(said.end - offset_s, start_s, limit_s)
    log = min(float(said.avg_logprob), 0.0)
    return Segment(
        text=text,
        start_s=start_s,
        end_s=end_s,
        confidence=round(float(np.exp(log)), 4),
        quality=judged(text, avg_logprob=log, no_speech_prob=min(1.0, float(said.no_speech_prob))),
        words=tuple(_words(said.words or (), offset_s, start_s, end_s)),
    )


def _words(said: Iterable[SaidWord], offset_s: float, start_s: float, end_s: float) -> Iterable[Word]:
    at = start_s
    for one in said:
        first = _between(float(one.start) - offset_s, at, end_s)
        at = _between(float(one.end) - offset_s, first, end_s)
        if text := one.word.strip():
            yield Word(text=text, start_s=first, end_s=at, confidence=round(min(1.0, float(one.probability)), 4))


def _between(value: float, least: float, most: float) -> float:
    return round(min(max(value, least), most), 2)


def _sound(samples: bytes) -> Samples:
    padded = samples.ljust(_LEAST_SAMPLES * 4, b"\0")
    return np.frombuffer(padded, np.float32)[:_WINDOW]
