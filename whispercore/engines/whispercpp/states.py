"""Windows decoded side by side on one set of weights, each in a fresh state.

A fresh state for each window is what makes transcripts repeatable: whisper.cpp seeds its random numbers once for a
state, so that in a used one the text of a hard window depends on which windows came before it.
"""

from __future__ import annotations

import ctypes as C  # noqa: N812
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from whispercore.engines.engine import SAMPLE_RATE, Scalar
from whispercore.engines.whispercpp.library import last_words, open_library
from whispercore.engines.whispercpp.messages import Decode
from whispercore.engines.whispercpp.no_speech import NoSpeech
from whispercore.engines.whispercpp.structures import ENCODER_BEGIN, PROGRESS, FullParams
from whispercore.engines.whispercpp.words import Token, segment
from whispercore.transcript import Segment

_STRLEN = C.cast(C.CDLL(None).strlen, C.c_void_p).value
_MAX_PROMPT_TOKENS = 224
_LEAST_SAMPLES = SAMPLE_RATE // 5
"""whisper.cpp gives nothing, and no error, for less than 0.1 s; shorter sound is padded with silence to 0.2 s."""


class AbortFlag:
    """Stops a computation in C without asking Python: C calls ``strlen`` on it, which is 0 until it is set."""

    def __init__(self) -> None:
        self._buffer = C.create_string_buffer(2)

    def set(self) -> None:
        """Stop at the next token."""
        self._buffer.value = b"\1"

    @property
    def is_set(self) -> bool:
        """Whether it was set."""
        return self._buffer.value != b""

    @property
    def address(self) -> int:
        """What C reads."""
        return C.addressof(self._buffer)


class Aborted(Exception):
    """The computation was stopped."""


class LibraryError(Exception):
    """C returned an error."""


class States:
    """A model whose weights several computations share.

    Raises:
        UnknownLibrary: This libwhisper's structures are not known.
        LibraryError: The model cannot be read.
    """

    def __init__(self, path: str, threads: int) -> None:
        self._c = open_library()
        self._threads = threads
        params = self._c.whisper_context_default_params()
        self._context = self._c.whisper_init_from_file_with_params_no_state(path.encode(), params)
        if not self._context:
            raise LibraryError(last_words() or "whisper.cpp cannot read the model")
        self._end_of_text = self._c.whisper_token_eot(self._context)
        self._audio_ctx = self._c.whisper_n_audio_ctx(self._context)

    @property
    def version(self) -> str:
        """Of libwhisper."""
        return str(self._c.whisper_version().decode())

    @property
    def system(self) -> str:
        """Processor features and back ends, in whisper.cpp's words."""
        return str(self._c.whisper_print_system_info().decode())

    @property
    def multilingual(self) -> bool:
        """Whether it knows more than English."""
        return bool(self._c.whisper_is_multilingual(self._context))

    def detect_language(self, samples: bytes, abort: AbortFlag) -> dict[str, float]:
        """The probability of each language.

        Raises:
            Aborted: The flag was set.
            LibraryError: C returned an error.
        """
        audio, n_samples = _audio(samples)
        probabilities = (C.c_float * (self._c.whisper_lang_max_id() + 1))()
        with self._state() as state:
            if self._c.whisper_pcm_to_mel_with_state(self._context, state, audio, n_samples, self._threads) != 0:
                raise LibraryError(f"no spectrogram: {last_words()}")
            found = self._c.whisper_lang_auto_detect_with_state(self._context, state, 0, self._threads, probabilities)
        if abort.is_set:
            raise Aborted
        if found < 0:
            raise LibraryError(f"no language: {last_words()}")
        return {self._c.whisper_lang_str(i).decode(): float(value) for i, value in enumerate(probabilities)}

    def decode(
        self, samples: bytes, request: Decode, abort: AbortFlag, on_progress: Callable[[float], None]
    ) -> tuple[tuple[Segment, ...], dict[str, Scalar]]:
        """Segments in the sound, and the parameters that C was called with.

        Raises:
            Aborted: The flag was set.
            LibraryError: C returned an error.
        """
        audio, n_samples = _audio(samples)
        params = self._params(request)
        params.abort_callback, params.abort_callback_user_data = _STRLEN, abort.address
        progress = PROGRESS(lambda _context, _state, percent, _data: on_progress(percent / 100))
        with self._state() as state:
            silence = NoSpeech(self._c, self._context, state, self._threads)

            def begin(_context: int, _state: int, _data: object) -> bool:
                """Called before each stretch of the window, when the one before is still there."""
                if not abort.is_set:
                    silence.ask()
                return not abort.is_set

            params.progress_callback, params.encoder_begin_callback = progress, ENCODER_BEGIN(begin)
            code = self._c.whisper_full_with_state(self._context, state, params, audio, n_samples)
            if abort.is_set:
                raise Aborted
            if code != 0:
                raise LibraryError(f"whisper_full returned {code}: {last_words()}")
            silence.ask()
            limit_s = len(samples) / 4 / SAMPLE_RATE
            return tuple(self._segments(state, silence, limit_s, words=request.words)), _read_back(params)

    def _params(self, request: Decode) -> FullParams:
        beam = request.beam_size > 1
        params: FullParams = self._c.whisper_full_default_params(int(beam))
        params.n_threads = self._threads
        params.print_progress = params.print_timestamps = False
        params.language = (request.language or "").encode()
        params.translate = request.translate
        params.temperature, params.temperature_inc = request.temperature, request.temperature_step
        params.beam_size = request.beam_size if beam else -1
        params.best_of = 5
        params.no_speech_thold = 2.0  # which no probability is above: whisper.cpp's own is none, see ``no_speech``
        params.token_timestamps = request.words
        if request.audio_ctx < self._audio_ctx:  # from there on whisper.cpp gives nothing, and no error
            params.audio_ctx = request.audio_ctx
        # Text is never carried from one stretch to the next. A prompt is: carried, and with room for itself alone.
        params.n_max_text_ctx = 0
        if request.prompt:
            params.initial_prompt = request.prompt.encode()
            params.carry_initial_prompt = True
            needed = -self._c.whisper_tokenize(self._context, params.initial_prompt, None, 0)
            params.n_max_text_ctx = min(needed + 1, _MAX_PROMPT_TOKENS)
        return params

    def _segments(self, state: int, silence: NoSpeech, limit_s: float, *, words: bool) -> Iterator[Segment]:
        c = self._c
        for i in range(c.whisper_full_n_segments_from_state(state)):
            tokens = [
                Token(
                    c.whisper_full_get_token_text_from_state(self._context, state, i, j),
                    data.p,
                    data.t0 / 100,
                    data.t1 / 100,
                )
                for j in range(c.whisper_full_n_tokens_from_state(state, i))
                if (data := c.whisper_full_get_token_data_from_state(state, i, j)).id < self._end_of_text
            ]
            start_s = c.whisper_full_get_segment_t0_from_state(state, i) / 100
            end_s = c.whisper_full_get_segment_t1_from_state(state, i) / 100
            found = segment(
                tokens,
                start_s,
                end_s,
                limit_s=limit_s,
                words=words,
                no_speech_prob=silence.of(i),
            )
            if found is not None:
                yield found

    @contextmanager
    def _state(self) -> Iterator[int]:
        state = self._c.whisper_init_state(self._context)
        if not state:
            raise LibraryError(f"no memory for a state: {last_words()}")
        try:
            yield state
        finally:
            self._c.whisper_free_state(state)


def _audio(samples: bytes) -> tuple[C.Array[C.c_char], int]:
    padded = samples.ljust(_LEAST_SAMPLES * 4, b"\0")
    return C.create_string_buffer(padded, len(padded)), len(padded) // 4


def _read_back(params: FullParams) -> dict[str, Scalar]:
    values = {name: getattr(params, name) for name, kind, *_ in params._fields_ if kind in _PLAIN}
    return {name: _scalar(value) for name, value in values.items()}


def _scalar(value: bytes | float | None) -> Scalar:
    if isinstance(value, bytes):
        return value.decode()
    return round(value, 6) if isinstance(value, float) else value


_PLAIN = (C.c_int, C.c_bool, C.c_float, C.c_char_p)
