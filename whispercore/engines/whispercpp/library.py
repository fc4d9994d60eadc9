"""The libwhisper that pywhispercpp brings, opened with ctypes.

What the plain binding lacks and this has: states (several computations on one set of weights), return codes, a check
on loading, token data of a state, and an abort flag that needs no Python.
"""

from __future__ import annotations

import ctypes as C  # noqa: N812
import os
from collections import deque
from pathlib import Path
from typing import Final

from whispercore.engines.whispercpp.structures import LOG, ContextParams, FullParams, TokenData, matches

_GREEDY, _BEAM = 0, 1
_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "whisper_version": (C.c_char_p, ()),
    "whisper_print_system_info": (C.c_char_p, ()),
    "whisper_log_set": (None, (LOG, C.c_void_p)),
    "whisper_context_default_params": (ContextParams, ()),
    "whisper_init_from_file_with_params_no_state": (C.c_void_p, (C.c_char_p, ContextParams)),
    "whisper_free": (None, (C.c_void_p,)),
    "whisper_init_state": (C.c_void_p, (C.c_void_p,)),
    "whisper_free_state": (None, (C.c_void_p,)),
    "whisper_is_multilingual": (C.c_int, (C.c_void_p,)),
    "whisper_n_audio_ctx": (C.c_int, (C.c_void_p,)),
    "whisper_model_n_text_layer": (C.c_int, (C.c_void_p,)),
    "whisper_model_n_text_head": (C.c_int, (C.c_void_p,)),
    "whisper_tokenize": (C.c_int, (C.c_void_p, C.c_char_p, C.c_void_p, C.c_int)),
    "whisper_n_vocab": (C.c_int, (C.c_void_p,)),
    "whisper_token_eot": (C.c_int, (C.c_void_p,)),
    "whisper_token_nosp": (C.c_int, (C.c_void_p,)),
    "whisper_token_sot": (C.c_int, (C.c_void_p,)),
    "whisper_token_beg": (C.c_int, (C.c_void_p,)),
    "whisper_lang_max_id": (C.c_int, ()),
    "whisper_lang_str": (C.c_char_p, (C.c_int,)),
    "whisper_pcm_to_mel_with_state": (C.c_int, (C.c_void_p, C.c_void_p, C.c_void_p, C.c_int, C.c_int)),
    "whisper_lang_auto_detect_with_state": (C.c_int, (C.c_void_p, C.c_void_p, C.c_int, C.c_int, C.c_void_p)),
    "whisper_decode_with_state": (C.c_int, (C.c_void_p, C.c_void_p, C.c_void_p, C.c_int, C.c_int, C.c_int)),
    "whisper_get_logits_from_state": (C.POINTER(C.c_float), (C.c_void_p,)),
    "whisper_full_default_params": (FullParams, (C.c_int,)),
    "whisper_full_with_state": (C.c_int, (C.c_void_p, C.c_void_p, FullParams, C.c_void_p, C.c_int)),
    "whisper_n_len_from_state": (C.c_int, (C.c_void_p,)),
    "whisper_full_lang_id_from_state": (C.c_int, (C.c_void_p,)),
    "whisper_full_n_segments_from_state": (C.c_int, (C.c_void_p,)),
    "whisper_full_get_segment_t0_from_state": (C.c_int64, (C.c_void_p, C.c_int)),
    "whisper_full_get_segment_t1_from_state": (C.c_int64, (C.c_void_p, C.c_int)),
    "whisper_full_n_tokens_from_state": (C.c_int, (C.c_void_p, C.c_int)),
    "whisper_full_get_token_data_from_state": (TokenData, (C.c_void_p, C.c_int, C.c_int)),
    "whisper_full_get_token_text_from_state": (C.c_char_p, (C.c_void_p, C.c_void_p, C.c_int, C.c_int)),
}


_logged: Final[deque[str]] = deque(maxlen=10)


@LOG  # type: ignore[untyped-decorator]
def _log(_level: int, text: bytes | None, _data: object) -> None:
    """C keeps this function for the rest of the process, so it must never go away. There is one log for everybody."""
    line = (text or b"").decode(errors="replace").strip()
    if line:
        _logged.append(line)


class UnknownLibrary(Exception):
    """This libwhisper is not one whose structures are known."""


def open_library() -> C.CDLL:
    """The library with its signatures set, and silent.

    Raises:
        UnknownLibrary: Its version or its structures are not those that ``structures`` describes, or
            ``WHISPERCORE_PLAIN_BINDING`` is set.
    """
    if os.environ.get("WHISPERCORE_PLAIN_BINDING"):
        raise UnknownLibrary("WHISPERCORE_PLAIN_BINDING is set")
    try:
        library = C.CDLL(str(library_path()))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise UnknownLibrary(str(error)) from error
    greedy = library.whisper_full_default_params(_GREEDY)
    if not matches(library.whisper_version().decode(), greedy, library.whisper_full_default_params(_BEAM)):
        raise UnknownLibrary(f"libwhisper {library.whisper_version().decode()}")
    library.whisper_log_set(_log, None)
    return library


def last_words() -> str:
    """The last line that C logged in this process."""
    return _logged[-1] if _logged else ""


def library_path() -> Path:
    """Where the library lies: as the system loaded it for the binding, or beside the binding.

    Raises:
        UnknownLibrary: It is at neither of these.
    """
    import _pywhispercpp  # noqa: PLC0415 (it loads the library; only the child does that)

    maps = Path("/proc/self/maps")
    if maps.exists():
        for line in maps.read_text().splitlines():
            if "libwhisper" in line:
                return Path(line.split(maxsplit=5)[5])
    home = Path(str(_pywhispercpp.__file__)).parent
    for pattern in ("pywhispercpp.libs/*whisper*", ".dylibs/libwhisper*", "libwhisper*", "whisper*.dll"):
        for path in sorted(home.glob(pattern)):
            return path
    raise UnknownLibrary(f"no libwhisper near {home}")
