"""Voice activity by Silero's model, computed by the libwhisper that pywhispercpp brings.

The model costs as much as a fast decoder, so it is asked as little as may be: not where nothing stands out from the
background, and not again for a while once it was sure.
"""

from __future__ import annotations

import collections
import ctypes as C  # noqa: N812 (as everywhere that structures are written out)
from functools import cache

import numpy as np

from whispercore.audio.loudness import Flags, Frames, Hop
from whispercore.audio.vad import FRAME
from whispercore.engines.whispercpp.library import UnknownLibrary, open_library
from whispercore.models.catalogue import SILERO_PATH

_STANDS_OUT_DB = 3.0
_FAINTEST_DB = -70.0
_LEAD = 6
"""Frames that are heard before the first one that counts: its memory is empty after a reset."""
_WARM = 10
"""Quiet frames after which it is reset."""
_SURE = 4
"""Frames in a row that make sure."""
_TRUST = 40
"""Frames, 1.3 s, that are taken for speech then without asking."""

_READ = C.CFUNCTYPE(C.c_size_t, C.c_void_p, C.c_void_p, C.c_size_t)
_EOF = C.CFUNCTYPE(C.c_bool, C.c_void_p)
_CLOSE = C.CFUNCTYPE(None, C.c_void_p)


class _Loader(C.Structure):
    """``whisper_model_loader``."""

    _fields_ = (("context", C.c_void_p), ("read", _READ), ("eof", _EOF), ("close", _CLOSE))


class _ContextParams(C.Structure):
    """``whisper_vad_context_params``."""

    _fields_ = (("n_threads", C.c_int), ("use_gpu", C.c_bool), ("gpu_device", C.c_int))


_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "whisper_vad_default_context_params": (_ContextParams, ()),
    "whisper_vad_init_with_params": (C.c_void_p, (C.POINTER(_Loader), _ContextParams)),
    "whisper_vad_free": (None, (C.c_void_p,)),
    "whisper_vad_reset_state": (None, (C.c_void_p,)),
    "whisper_vad_detect_speech_no_reset": (C.c_bool, (C.c_void_p, C.c_void_p, C.c_int)),
    "whisper_vad_n_probs": (C.c_int, (C.c_void_p,)),
    "whisper_vad_probs": (C.POINTER(C.c_float), (C.c_void_p,)),
}


class Silero:
    """Voice activity of one channel. Its memory is given back when nobody refers to it any more.

    Args:
        threshold: Probability from which a frame is speech.

    Raises:
        UnknownLibrary: This libwhisper's structures are not known, or it refuses the model.
    """

    NAME = "silero 6.2.0"

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._context: int | None = None
        self._c = _library()
        self._context = _opened(self._c)
        self._lead: collections.deque[Frames] = collections.deque(maxlen=_LEAD)
        self._warm = self._sure = self._trust = 0

    def __del__(self) -> None:
        if self._context:
            self._c.whisper_vad_free(self._context)

    def heard(self, hop: Hop) -> Flags:
        """Whether somebody speaks in each frame."""
        loud = hop.levels > max(hop.floor + _STANDS_OUT_DB, _FAINTEST_DB)
        return np.fromiter(
            (self._is_speech(frame, is_loud) for frame, is_loud in zip(hop.frames, loud.tolist(), strict=True)),
            np.bool_,
            len(hop.frames),
        )

    def _is_speech(self, frame: Frames, is_loud: bool) -> bool:
        if self._trust:
            self._trust -= 1
            self._warm = 0
            self._lead.append(frame)
            return is_loud
        if not is_loud and not self._warm:
            self._lead.append(frame)
            return False
        if not self._warm:
            self._c.whisper_vad_reset_state(self._context)
            for before in self._lead:
                self._probability(before)
        self._warm = _WARM if is_loud else self._warm - 1
        self._lead.append(frame)
        is_speech = self._probability(frame) >= self._threshold
        self._sure = self._sure + 1 if is_speech else 0
        if self._sure >= _SURE:
            self._sure, self._trust = 0, _TRUST
        return is_speech

    def _probability(self, frame: Frames) -> float:
        sound = np.ascontiguousarray(frame, np.float32)
        if not self._c.whisper_vad_detect_speech_no_reset(self._context, sound.ctypes.data, FRAME):
            raise UnknownLibrary("Silero does not answer")
        return float(self._c.whisper_vad_probs(self._context)[0])


@cache
def _library() -> C.CDLL:
    library = open_library()
    try:
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError as error:
        raise UnknownLibrary(str(error)) from error
    return library


@cache
def _model() -> bytes:
    return SILERO_PATH.read_bytes()


def _opened(library: C.CDLL) -> int:
    """A context with its own memory, from the bytes of the model: the process may not be allowed to open files."""
    model, at = _model(), 0

    def read(_: object, target: int, n_bytes: int) -> int:
        nonlocal at
        piece = model[at : at + n_bytes]
        C.memmove(target, piece, len(piece))
        at += len(piece)
        return len(piece)

    loader = _Loader(None, _READ(read), _EOF(lambda _: at >= len(model)), _CLOSE(lambda _: None))
    params = library.whisper_vad_default_context_params()
    params.n_threads, params.use_gpu = 1, False
    context: int | None = library.whisper_vad_init_with_params(C.byref(loader), params)
    if not context:
        raise UnknownLibrary("it cannot read Silero's model")
    return context
