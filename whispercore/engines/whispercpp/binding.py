"""One window at a time through pywhispercpp's own binding: for builds whose structures ``states`` does not know.

It has no fresh states, so whisper.cpp's temperature fallback is off here (its random numbers would depend on what was
decoded before), and a temperature above 0 is not repeatable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import _pywhispercpp
import numpy as np
from pywhispercpp.model import Model

from whispercore.engines.engine import SAMPLE_RATE, Scalar
from whispercore.engines.whispercpp.messages import Decode, Device
from whispercore.engines.whispercpp.registry import device_used
from whispercore.engines.whispercpp.states import Aborted, AbortFlag, LibraryError
from whispercore.engines.whispercpp.words import Token, segment
from whispercore.transcript import Segment, WordTimes

_LEAST_SAMPLES = SAMPLE_RATE // 5


class Binding:
    """A model that does one computation at a time.

    Raises:
        LibraryError: The model cannot be read.
    """

    def __init__(self, path: str, threads: int) -> None:
        self._threads = threads
        try:
            self._model = Model(path, n_threads=threads, print_progress=False, print_timestamps=False)
        except RuntimeError as error:
            raise LibraryError(str(error)) from error
        self._context: Any = vars(self._model)["_ctx"]  # the binding has no public way to a segment's tokens
        self._end_of_text = _pywhispercpp.whisper_token_eot(self._context)
        self._audio_ctx = _pywhispercpp.whisper_n_audio_ctx(self._context)

    @property
    def version(self) -> str:
        """Of the binding; it does not tell its library's."""
        from importlib.metadata import version  # noqa: PLC0415

        return f"pywhispercpp-{version('pywhispercpp')}"

    @property
    def system(self) -> str:
        """Processor features and back ends, in whisper.cpp's words."""
        return str(Model.system_info())

    @property
    def device(self) -> Device:
        """What whisper.cpp computes on."""
        return device_used(self.system)

    @property
    def multilingual(self) -> bool:
        """Whether it knows more than English."""
        return bool(_pywhispercpp.whisper_is_multilingual(self._context))

    @property
    def word_times(self) -> tuple[WordTimes, ...]:
        """How words can get their times."""
        return ("tokens",)

    @property
    def tries_again(self) -> bool:
        """Whether a window that is decoded badly is decoded again, at higher temperatures."""
        return False

    def detect_language(self, samples: bytes, abort: AbortFlag) -> dict[str, float]:
        """The probability of each language.

        Raises:
            Aborted: The flag was set.
        """
        _, probabilities = self._model.auto_detect_language(_audio(samples), n_threads=self._threads)
        if abort.is_set:
            raise Aborted
        return {str(code): float(value) for code, value in probabilities.items()}

    def decode(
        self, samples: bytes, request: Decode, abort: AbortFlag, on_progress: Callable[[float], None]
    ) -> tuple[tuple[Segment, ...], dict[str, Scalar]]:
        """Segments in the sound, and the parameters that C was called with.

        Raises:
            Aborted: The flag was set.
        """
        on_progress(0.0)
        # The parameters of a call stay for the next one, so every one of them is set every time.
        self._model.transcribe(
            _audio(samples),
            abort_callback=lambda: abort.is_set,
            n_threads=self._threads,
            n_max_text_ctx=0 if not request.prompt else 224,
            language=request.language or "",
            translate=request.translate,
            initial_prompt=request.prompt or "",
            carry_initial_prompt=bool(request.prompt),
            temperature=request.temperature,
            temperature_inc=0.0,
            greedy={"best_of": 5},
            beam_search={"beam_size": request.beam_size if request.beam_size > 1 else -1, "patience": -1.0},
            token_timestamps=request.words,
            audio_ctx=request.audio_ctx if request.audio_ctx < self._audio_ctx else 0,
        )
        if abort.is_set:
            raise Aborted
        on_progress(1.0)
        limit_s = len(samples) / 4 / SAMPLE_RATE
        found = tuple(self._segments(limit_s, words=request.words))
        values = {name: value for name, value in self._model.get_params().items() if _plain(value)}
        return found, {**values, "beam_size": request.beam_size}

    def _segments(self, limit_s: float, *, words: bool) -> list[Segment]:
        c, context = _pywhispercpp, self._context
        made = []
        for i in range(c.whisper_full_n_segments(context)):
            tokens = []
            for j in range(c.whisper_full_n_tokens(context, i)):
                data = c.whisper_full_get_token_data(context, i, j)
                if data.id < self._end_of_text:
                    text = c.whisper_full_get_token_text(context, i, j)
                    tokens.append(Token(_bytes(text), data.p, data.t0 / 100, data.t1 / 100))
            start_s = c.whisper_full_get_segment_t0(context, i) / 100
            end_s = c.whisper_full_get_segment_t1(context, i) / 100
            made.append(segment(tokens, start_s, end_s, limit_s=limit_s, words=words))
        return [item for item in made if item is not None]


def _audio(samples: bytes) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.frombuffer(samples.ljust(_LEAST_SAMPLES * 4, b"\0"), np.float32)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)
