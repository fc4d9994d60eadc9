"""The structures of ``whisper.h`` (whisper.cpp 1.8.4 to 1.9.3) for ctypes.

A structure that is read with the wrong layout corrupts memory silently. So ``matches`` compares the library's version,
and the defaults that it writes, with what these layouts must show; an unknown library is used through the plain
binding instead.
"""

from __future__ import annotations

import ctypes as C  # noqa: N812 (as everywhere that structures are written out)
import math
import re

_FIRST, _AFTER = (1, 8, 4), (1, 9, 4)

NEW_SEGMENT = C.CFUNCTYPE(None, C.c_void_p, C.c_void_p, C.c_int, C.c_void_p)
PROGRESS = C.CFUNCTYPE(None, C.c_void_p, C.c_void_p, C.c_int, C.c_void_p)
ENCODER_BEGIN = C.CFUNCTYPE(C.c_bool, C.c_void_p, C.c_void_p, C.c_void_p)
LOGITS_FILTER = C.CFUNCTYPE(None, C.c_void_p, C.c_void_p, C.c_void_p, C.c_int, C.c_void_p, C.c_void_p)
LOG = C.CFUNCTYPE(None, C.c_int, C.c_char_p, C.c_void_p)


class Head(C.Structure):
    """``whisper_ahead``."""

    _fields_ = (("n_text_layer", C.c_int), ("n_head", C.c_int))


class Heads(C.Structure):
    """``whisper_aheads``."""

    _fields_ = (("n_heads", C.c_size_t), ("heads", C.POINTER(Head)))


class ContextParams(C.Structure):
    """``whisper_context_params``."""

    _fields_ = (
        ("use_gpu", C.c_bool),
        ("flash_attn", C.c_bool),
        ("gpu_device", C.c_int),
        ("dtw_token_timestamps", C.c_bool),
        ("dtw_aheads_preset", C.c_int),
        ("dtw_n_top", C.c_int),
        ("dtw_aheads", Heads),
        ("dtw_mem_size", C.c_size_t),
    )


class VadParams(C.Structure):
    """``whisper_vad_params``."""

    _fields_ = (
        ("threshold", C.c_float),
        ("min_speech_duration_ms", C.c_int),
        ("min_silence_duration_ms", C.c_int),
        ("max_speech_duration_s", C.c_float),
        ("speech_pad_ms", C.c_int),
        ("samples_overlap", C.c_float),
    )


class FullParams(C.Structure):
    """``whisper_full_params``; its ``greedy`` and ``beam_search`` are written out."""

    _fields_ = (
        ("strategy", C.c_int),
        ("n_threads", C.c_int),
        ("n_max_text_ctx", C.c_int),
        ("offset_ms", C.c_int),
        ("duration_ms", C.c_int),
        ("translate", C.c_bool),
        ("no_context", C.c_bool),
        ("no_timestamps", C.c_bool),
        ("single_segment", C.c_bool),
        ("print_special", C.c_bool),
        ("print_progress", C.c_bool),
        ("print_realtime", C.c_bool),
        ("print_timestamps", C.c_bool),
        ("token_timestamps", C.c_bool),
        ("thold_pt", C.c_float),
        ("thold_ptsum", C.c_float),
        ("max_len", C.c_int),
        ("split_on_word", C.c_bool),
        ("max_tokens", C.c_int),
        ("debug_mode", C.c_bool),
        ("audio_ctx", C.c_int),
        ("tdrz_enable", C.c_bool),
        ("suppress_regex", C.c_char_p),
        ("initial_prompt", C.c_char_p),
        ("carry_initial_prompt", C.c_bool),
        ("prompt_tokens", C.c_void_p),
        ("prompt_n_tokens", C.c_int),
        ("language", C.c_char_p),
        ("detect_language", C.c_bool),
        ("suppress_blank", C.c_bool),
        ("suppress_nst", C.c_bool),
        ("temperature", C.c_float),
        ("max_initial_ts", C.c_float),
        ("length_penalty", C.c_float),
        ("temperature_inc", C.c_float),
        ("entropy_thold", C.c_float),
        ("logprob_thold", C.c_float),
        ("no_speech_thold", C.c_float),
        ("best_of", C.c_int),
        ("beam_size", C.c_int),
        ("patience", C.c_float),
        ("new_segment_callback", NEW_SEGMENT),
        ("new_segment_callback_user_data", C.c_void_p),
        ("progress_callback", PROGRESS),
        ("progress_callback_user_data", C.c_void_p),
        ("encoder_begin_callback", ENCODER_BEGIN),
        ("encoder_begin_callback_user_data", C.c_void_p),
        ("abort_callback", C.c_void_p),
        ("abort_callback_user_data", C.c_void_p),
        ("logits_filter_callback", LOGITS_FILTER),
        ("logits_filter_callback_user_data", C.c_void_p),
        ("grammar_rules", C.c_void_p),
        ("n_grammar_rules", C.c_size_t),
        ("i_start_rule", C.c_size_t),
        ("grammar_penalty", C.c_float),
        ("vad", C.c_bool),
        ("vad_model_path", C.c_char_p),
        ("vad_params", VadParams),
    )


class TokenData(C.Structure):
    """``whisper_token_data``."""

    _fields_ = (
        ("id", C.c_int),
        ("tid", C.c_int),
        ("p", C.c_float),
        ("plog", C.c_float),
        ("pt", C.c_float),
        ("ptsum", C.c_float),
        ("t0", C.c_int64),
        ("t1", C.c_int64),
        ("t_dtw", C.c_int64),
        ("vlen", C.c_float),
    )


def matches(version: str, greedy: FullParams, beam: FullParams) -> bool:
    """Do the defaults that this library writes appear where these layouts say?"""
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if numbers is None or not _FIRST <= tuple(int(n) for n in numbers.groups()) < _AFTER:
        return False
    seen = (
        *(greedy.strategy, greedy.n_max_text_ctx, greedy.print_progress, greedy.language, greedy.suppress_blank),
        *(greedy.best_of, beam.strategy, beam.beam_size, greedy.vad, greedy.vad_params.speech_pad_ms),
    )
    floats = (
        *((greedy.thold_pt, 0.01), (greedy.entropy_thold, 2.4), (greedy.logprob_thold, -1.0)),
        *((greedy.no_speech_thold, 0.6), (greedy.temperature_inc, 0.2), (greedy.grammar_penalty, 100.0)),
        *((greedy.vad_params.threshold, 0.5), (greedy.vad_params.samples_overlap, 0.1)),
    )
    return seen == (0, 16384, True, b"en", True, 5, 1, 5, False, 30) and all(
        math.isclose(value, default, rel_tol=1e-5) for value, default in floats
    )
