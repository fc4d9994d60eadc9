"""Times of words by aligning them with the sound: dynamic time warping (DTW) over some of the model's attention heads.

Which heads follow the sound is known for OpenAI's models, and whisper.cpp has their lists. It aligns in contexts that
were opened for it, without flash attention, and ends the process where a stretch has less than 160 ms. ``Guard`` keeps
it from such stretches.
"""

from __future__ import annotations

import ctypes as C  # noqa: N812
import math
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from whispercore.engines.whispercpp.structures import LOGITS_FILTER, ContextParams, Head, Heads, TokenData

_LEAST_FRAMES = 16
"""Of 10 ms. whisper.cpp (1.8.5) smooths over 7 positions of 20 ms, and asserts that there are more."""
_FRAMES_PER_POSITION = 2
_SHORT_TIMESTAMPS = _LEAST_FRAMES // _FRAMES_PER_POSITION - 1
"""How many there are behind that of 0.00 s which would end a stretch too early."""
_NEVER = struct.pack("f", -math.inf) * _SHORT_TIMESTAMPS
_CUSTOM = 2
_QUANTIZED = re.compile(r"-q\d_\w+$")


@frozen
class AlignmentHeads:
    """Heads that follow the sound, and the shape of the model that has them."""

    preset: int
    """``whisper_alignment_heads_preset``."""
    n_text_layer: int
    n_text_head: int
    n_vocab: int
    custom: tuple[tuple[int, int], ...] = ()
    """Layer and head of each, where whisper.cpp has no list."""

    def params(self, library: C.CDLL) -> ContextParams:
        """Those of a context that aligns; valid as long as this object is kept."""
        params: ContextParams = library.whisper_context_default_params()
        params.flash_attn = False
        params.dtw_token_timestamps = True
        params.dtw_aheads_preset = self.preset
        if self.custom:
            heads = (Head * len(self.custom))(*(Head(*one) for one in self.custom))
            params.dtw_aheads = Heads(len(heads), C.cast(heads, C.POINTER(Head)))
        return params


_KNOWN: Final[Mapping[str, AlignmentHeads]] = {
    "micro": AlignmentHeads(_CUSTOM, 3, 2, 51865, custom=((0, 1), (1, 1))),
    "tiny.en": AlignmentHeads(3, 4, 6, 51864),
    "tiny": AlignmentHeads(4, 4, 6, 51865),
    "base.en": AlignmentHeads(5, 6, 8, 51864),
    "base": AlignmentHeads(6, 6, 8, 51865),
    "small.en": AlignmentHeads(7, 12, 12, 51864),
    "small": AlignmentHeads(8, 12, 12, 51865),
    "medium.en": AlignmentHeads(9, 24, 16, 51864),
    "medium": AlignmentHeads(10, 24, 16, 51865),
    "large-v1": AlignmentHeads(11, 32, 20, 51865),
    "large-v2": AlignmentHeads(12, 32, 20, 51865),
    "large-v3": AlignmentHeads(13, 32, 20, 51866),
    "large-v3-turbo": AlignmentHeads(14, 4, 20, 51866),
}


def alignment_heads(path: str, *, n_text_layer: int, n_text_head: int, n_vocab: int) -> AlignmentHeads | None:
    """The heads of a model, by its name and its shape; None where they are not known.

    Args:
        path: Its file, whose name is that of the model; quantised ones have the heads of the whole.
        n_text_layer: Layers of its decoder.
        n_text_head: Attention heads of each.
        n_vocab: Its tokens.
    """
    found = _of_name(Path(path))
    shape = (n_text_layer, n_text_head, n_vocab)
    return found if found is not None and (found.n_text_layer, found.n_text_head, found.n_vocab) == shape else None


def may_align(path: Path) -> bool:
    """Whether a model has a name whose heads are known; its shape, too, has to be that of the name."""
    return _of_name(path) is not None


def _of_name(path: Path) -> AlignmentHeads | None:
    return _KNOWN.get(_QUANTIZED.sub("", path.stem.removeprefix("ggml-")))


@define(eq=False)
class Guard:
    """Keeps one call of ``whisper_full`` from stretches that are too short to be aligned.

    A stretch ends at its last timestamp, so those of the first 160 ms are never to be chosen. What is left for the next
    one is certain only as far as the progress tells; where it may be too short the call ends, and tells where.
    """

    library: C.CDLL
    context: int
    state: int
    single: bool
    """Whether there is to be one stretch and no other."""
    percent: int = 0
    """The progress that was told last, rounded down."""
    rest_at: int | None = field(default=None, init=False)
    """The frame, of 10 ms, from which on nothing was decoded; None where all was."""
    _begun: bool = field(default=False, init=False)
    _reached: int = field(default=0, init=False)
    _timestamp: int = field(default=0, init=False)

    def may_begin(self) -> bool:
        """Whether a stretch may begin now."""
        if not self._begun:
            self._begun = True
            return True
        if self.single:
            return False
        n_frames = self.library.whisper_n_len_from_state(self.state)
        self._go_on(n_frames)
        if n_frames * (99 - self.percent) >= 100 * _LEAST_FRAMES:
            return True
        self.rest_at = self._reached
        return False

    def filter(self) -> object:
        """What has to be called with logits, and kept as long as they come."""
        begin = self.library.whisper_token_beg(self.context)

        def forbid(_context: int, _state: int, tokens: int, n_tokens: int, logits: int, _data: object) -> None:
            C.memmove(logits + 4 * (begin + 1), _NEVER, len(_NEVER))
            if n_tokens:
                last = C.c_int.from_address(tokens + (n_tokens - 1) * C.sizeof(TokenData)).value
                self._timestamp = last - begin if last > begin else self._timestamp

        return LOGITS_FILTER(forbid)

    def _go_on(self, n_frames: int) -> None:
        """Find where the next stretch begins: at the last timestamp, unless there were several hypotheses."""
        last = self.library.whisper_full_n_segments_from_state(self.state) - 1
        ended = self.library.whisper_full_get_segment_t1_from_state(self.state, last) if last >= 0 else 0
        least = max(ended, -(-n_frames * self.percent // 100))
        said = self._reached + _FRAMES_PER_POSITION * self._timestamp
        self._reached = said if least <= said < n_frames * (self.percent + 1) / 100 else least
        self._timestamp = 0
