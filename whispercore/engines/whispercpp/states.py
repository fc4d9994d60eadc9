"""Windows decoded side by side on one set of weights, each in a fresh state.

A fresh state for each window is what makes transcripts repeatable: whisper.cpp seeds its random numbers once for a
state, so that in a used one the text of a hard window depends on which windows came before it.
"""

from __future__ import annotations

import ctypes as C  # noqa: N812
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from whispercore.engines.engine import SAMPLE_RATE, Scalar
from whispercore.engines.whispercpp.alignment import Guard, alignment_heads
from whispercore.engines.whispercpp.library import last_words, open_library
from whispercore.engines.whispercpp.messages import Decode, Device
from whispercore.engines.whispercpp.no_speech import NoSpeech
from whispercore.engines.whispercpp.registry import device_used
from whispercore.engines.whispercpp.structures import ENCODER_BEGIN, PROGRESS, ContextParams, FullParams
from whispercore.engines.whispercpp.words import Token, segment, shifted
from whispercore.transcript import Segment, WordTimes

_STRLEN = C.cast(C.CDLL(None).strlen, C.c_void_p).value
_MAX_PROMPT_TOKENS = 224
_LEAST_SAMPLES = SAMPLE_RATE // 5
"""whisper.cpp gives nothing, and no error, for less than 0.1 s; shorter sound is padded with silence to 0.2 s."""
_LEAST_REST = SAMPLE_RATE // 2
"""The rest of a window that is decoded by itself is padded to so much."""
_FRAMES_PER_S = 100


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


@frozen(eq=False)
class _Context:
    """A model, opened in one way."""

    address: int
    params: ContextParams
    """As it was opened; C keeps pointers into it."""


@frozen
class _State:
    """What one computation needs to itself."""

    model: _Context
    address: int


class States:
    """A model whose weights several computations share.

    Windows whose words are to be aligned with the sound need the model opened in another way. It is, once there is one:
    the weights are there twice from then on.

    Raises:
        UnknownLibrary: This libwhisper's structures are not known.
        LibraryError: The model cannot be read.
    """

    def __init__(self, path: str, threads: int) -> None:
        self._c = open_library()
        self._threads = threads
        self._path = path
        self._file = _identity(path)
        self._plain = self._open(self._c.whisper_context_default_params())
        self._aligning: _Context | None = None
        self._opening = threading.Lock()
        model = self._plain.address
        self._heads = alignment_heads(
            path,
            n_text_layer=self._c.whisper_model_n_text_layer(model),
            n_text_head=self._c.whisper_model_n_text_head(model),
            n_vocab=self._c.whisper_n_vocab(model),
        )
        self._end_of_text = self._c.whisper_token_eot(model)
        self._audio_ctx = self._c.whisper_n_audio_ctx(model)

    @property
    def version(self) -> str:
        """Of libwhisper."""
        return str(self._c.whisper_version().decode())

    @property
    def system(self) -> str:
        """Processor features and back ends, in whisper.cpp's words."""
        return str(self._c.whisper_print_system_info().decode())

    @property
    def device(self) -> Device:
        """What whisper.cpp computes on."""
        params = self._plain.params
        return device_used(self.system, use_gpu=params.use_gpu, number=params.gpu_device)

    @property
    def multilingual(self) -> bool:
        """Whether it knows more than English."""
        return bool(self._c.whisper_is_multilingual(self._plain.address))

    @property
    def word_times(self) -> tuple[WordTimes, ...]:
        """How words can get their times."""
        return ("tokens", "dtw") if self._heads is not None else ("tokens",)

    @property
    def tries_again(self) -> bool:
        """Whether a window that is decoded badly is decoded again, at higher temperatures."""
        return True

    def detect_language(self, samples: bytes, abort: AbortFlag) -> dict[str, float]:
        """The probability of each language.

        Raises:
            Aborted: The flag was set.
            LibraryError: C returned an error.
        """
        audio, n_samples = _audio(samples)
        context = self._plain.address
        probabilities = (C.c_float * (self._c.whisper_lang_max_id() + 1))()
        with self._state(self._plain) as state:
            if self._c.whisper_pcm_to_mel_with_state(context, state.address, audio, n_samples, self._threads) != 0:
                raise LibraryError(f"no spectrogram: {last_words()}")
            found = self._c.whisper_lang_auto_detect_with_state(context, state.address, 0, self._threads, probabilities)
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
        model = self._model_for(request)
        params = self._params(request)
        params.abort_callback, params.abort_callback_user_data = _STRLEN, abort.address
        with self._state(model) as state:
            segments, rest_s = self._full(state, params, samples, abort, on_progress)
            values = _read_back(params, model.params)
            if rest_s is not None:
                # As whisper.cpp does for the last seconds of what it is given: no prompt, and the same language.
                params.initial_prompt, params.n_max_text_ctx = None, 0
                params.language = self._c.whisper_lang_str(self._c.whisper_full_lang_id_from_state(state.address))
                rest = samples[4 * round(rest_s * SAMPLE_RATE) :]
                found, _ = self._full(state, params, rest, abort, on_progress, is_rest=True)
                segments += [shifted(one, rest_s, None) for one in found]
        return tuple(segments), values

    def _full(
        self,
        state: _State,
        params: FullParams,
        samples: bytes,
        abort: AbortFlag,
        on_progress: Callable[[float], None],
        *,
        is_rest: bool = False,
    ) -> tuple[list[Segment], float | None]:
        """The segments, and from where on nothing was decoded, in seconds; None where all was."""
        audio, n_samples = _audio(samples, _LEAST_REST if is_rest else _LEAST_SAMPLES)
        context = state.model.address
        silence = NoSpeech(self._c, context, state.address, self._threads)
        aligns = state.model.params.dtw_token_timestamps
        guard = Guard(self._c, context, state.address, single=is_rest) if aligns else None

        def begin(_context: int, _state: int, _data: object) -> bool:
            """Called before each stretch of the window, when the one before is still there."""
            if abort.is_set:
                return False
            silence.ask()
            return guard is None or guard.may_begin()

        def progress(_context: int, _state: int, percent: int, _data: object) -> None:
            if guard is not None:
                guard.percent = percent
            if not is_rest:
                on_progress(percent / 100)

        params.progress_callback, params.encoder_begin_callback = PROGRESS(progress), ENCODER_BEGIN(begin)
        if guard is not None:
            params.logits_filter_callback = guard.filter()
        code = self._c.whisper_full_with_state(context, state.address, params, audio, n_samples)
        if abort.is_set:
            raise Aborted
        if code != 0:
            raise LibraryError(f"whisper_full returned {code}: {last_words()}")
        silence.ask()
        limit_s = len(samples) / 4 / SAMPLE_RATE
        rest_at = guard.rest_at if guard is not None else None
        segments = list(self._segments(state, silence, limit_s, words=params.token_timestamps))
        return segments, rest_at / _FRAMES_PER_S if rest_at is not None else None

    def _model_for(self, request: Decode) -> _Context:
        if request.word_times != "dtw" or self._heads is None:
            return self._plain
        with self._opening:
            if self._aligning is None:
                if _identity(self._path) != self._file:
                    raise LibraryError("the model's file is gone, or another one, since it was loaded")
                self._aligning = self._open(self._heads.params(self._c))
            return self._aligning

    def _open(self, params: ContextParams) -> _Context:
        address = self._c.whisper_init_from_file_with_params_no_state(self._path.encode(), params)
        if not address:
            raise LibraryError(last_words() or "whisper.cpp cannot read the model")
        return _Context(address, params)

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
            needed = -self._c.whisper_tokenize(self._plain.address, params.initial_prompt, None, 0)
            params.n_max_text_ctx = min(needed + 1, _MAX_PROMPT_TOKENS)
        return params

    def _segments(self, state: _State, silence: NoSpeech, limit_s: float, *, words: bool) -> Iterator[Segment]:
        c = self._c
        for i in range(c.whisper_full_n_segments_from_state(state.address)):
            tokens = [
                Token(
                    c.whisper_full_get_token_text_from_state(state.model.address, state.address, i, j),
                    data.p,
                    data.t0 / 100,
                    data.t1 / 100,
                    data.t_dtw / 100 if data.t_dtw >= 0 else None,
                )
                for j in range(c.whisper_full_n_tokens_from_state(state.address, i))
                if (data := c.whisper_full_get_token_data_from_state(state.address, i, j)).id < self._end_of_text
            ]
            start_s = c.whisper_full_get_segment_t0_from_state(state.address, i) / 100
            end_s = c.whisper_full_get_segment_t1_from_state(state.address, i) / 100
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
    def _state(self, model: _Context) -> Iterator[_State]:
        state = self._c.whisper_init_state(model.address)
        if not state:
            raise LibraryError(f"no memory for a state: {last_words()}")
        try:
            yield _State(model, state)
        finally:
            self._c.whisper_free_state(state)


def _identity(path: str) -> tuple[int, ...] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _audio(samples: bytes, least: int = _LEAST_SAMPLES) -> tuple[C.Array[C.c_char], int]:
    padded = samples.ljust(least * 4, b"\0")
    return C.create_string_buffer(padded, len(padded)), len(padded) // 4


def _read_back(*structures: ContextParams | FullParams) -> dict[str, Scalar]:
    return {
        _OPTIONS.get(name, name): _scalar(getattr(params, name))
        for params in structures
        for name, kind, *_ in params._fields_
        if kind in _PLAIN
    }


def _scalar(value: bytes | float | None) -> Scalar:
    if isinstance(value, bytes):
        return value.decode()
    return round(value, 6) if isinstance(value, float) else value


_OPTIONS = {"temperature_inc": "temperature_step"}
"""What is called otherwise in C."""
_PLAIN = (C.c_int, C.c_bool, C.c_float, C.c_char_p)
