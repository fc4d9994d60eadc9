"""Whisper models of true size that write a known text: for measuring speed without downloaded weights.

The encoder, and the matrices of attention and feed-forward layers, are random: computation and memory traffic are
those of the real thing. The decoder's attention adds nothing to the residual stream, and its last feed-forward layer
is an associative memory "token -> next token". So greedy decoding writes the same words, with time stamps, for every
window of 30 s, whatever is to be heard, and is sure of each of them. Vocabulary and mel filters are those of the model
in the package. The text says nothing about accuracy.
"""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from attrs import define, field, frozen

from whispercore.models.catalogue import MICRO_PATH

_VERSION = 1
"""Raised when other files come out; part of the name in the cache."""
_MAGIC = 0x67676D6C
_AUDIO_CTX, _TEXT_CTX = 1500, 448
_MELS = 80
"""Those of the model in the package."""
_F32, _F16 = 0, 1
_END_OF_TEXT, _START, _ENGLISH = 50257, 50258, 50259
_WINDOW_S = 30.0
_N_WORDS = 75
"""Words in a window: two and a half a second, as people speak."""
_SEGMENT_S = 5.0
_FIRST_WORD = 300
_NEXT, _AFTER_NEXT = 0.85, 0.52
"""A time stamp that ends a segment is written twice: the second best token after it is what follows the pair, since
whisper.cpp forbids a third."""
_SHARPNESS = 20.0
"""Strong enough for exactly one memory to answer."""
_OFF = -10.0
"""A bias below which the activation gives nothing."""

Numbers = np.ndarray[Any, np.dtype[np.floating[Any]]]


@frozen
class Size:
    """The shape of a published model."""

    width: int
    heads: int
    layers: int
    """Of the encoder."""
    text_layers: int
    mels: int = _MELS
    languages: int = 99

    @property
    def translate(self) -> int:
        """The token after those of the languages; the others follow it."""
        return _ENGLISH + self.languages

    @property
    def first_time(self) -> int:
        """The token of 0.00 s."""
        return self.translate + 6

    @property
    def n_vocab(self) -> int:
        """All tokens, with the last one of time."""
        return self.first_time + 1501

    def time(self, seconds: float) -> int:
        """The token of a time in the window."""
        return self.first_time + round(seconds * 50)


SIZES: Mapping[str, Size] = {
    "tiny": Size(384, 6, 4, 4),
    "base": Size(512, 8, 6, 6),
    "small": Size(768, 12, 12, 12),
    "medium": Size(1024, 16, 24, 24),
    "large-v3-turbo": Size(1280, 20, 32, 4, mels=128, languages=100),
    "little-turbo": Size(128, 2, 2, 1, mels=128, languages=100),
}


def speed_model(size: str, folder: Path) -> Path:
    """The model of a size, made unless the folder has it.

    Args:
        size: One of ``SIZES``.
        folder: Where such models are kept.
    """
    path = folder / f"speed-{size}-{_VERSION}.bin"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                _Writer(file, SIZES[size]).write(MICRO_PATH)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return path


def _vocabulary(source: bytes) -> tuple[bytes, bytes, list[bytes]]:
    """The parts of a model file with mel filters and with tokens, as they are, and the tokens."""
    begin = 48
    n_mel, n_fft = struct.unpack_from("<2i", source, begin)
    first = begin + 8 + 4 * n_mel * n_fft
    (count,) = struct.unpack_from("<i", source, first)
    at = first + 4
    tokens = []
    for _ in range(count):
        (length,) = struct.unpack_from("<I", source, at)
        tokens.append(source[at + 4 : at + 4 + length])
        at += 4 + length
    return source[begin:first], source[first:at], tokens


def _words(tokens: Sequence[bytes]) -> list[int]:
    """Plain words of four to nine bytes, the space before them included."""
    fit = [
        number
        for number, token in enumerate(tokens)
        if token[:1] == b" " and 4 <= len(token) <= 9 and token[1:].isalpha() and token[1:].islower()
    ]
    return fit[_FIRST_WORD : _FIRST_WORD + _N_WORDS]


def _filters(mels: int) -> bytes:
    """Mel filters as a model file has them; those of faster-whisper, which computes its own."""
    from faster_whisper.feature_extractor import FeatureExtractor  # noqa: PLC0415 - an extra

    filters: Numbers = FeatureExtractor.get_mel_filters(16_000, 400, n_mels=mels).astype("<f4")
    return struct.pack("<2i", *filters.shape) + filters.tobytes()


def _chain(tokens: Sequence[bytes], size: Size) -> dict[int, list[tuple[float, int]]]:
    """What follows each token, with weights: the text as a chain."""
    words = _words(tokens)
    count = round(_WINDOW_S / _SEGMENT_S)
    segments = [words[i * len(words) // count : (i + 1) * len(words) // count] for i in range(count)]
    begin = [(1.0, size.time(0))]
    after = {
        _START: [(1.0, _ENGLISH)],
        size.translate + 1: begin,  # transcribe
        size.translate: begin,
        size.first_time - 1: [(1.0, words[0])],  # no times
        size.time(0): [(1.0, words[0])],
    }
    for number, segment in enumerate(segments):
        after |= {word: [(1.0, following)] for word, following in itertools.pairwise(segment)}
        end = size.time((number + 1) * _SEGMENT_S)
        last = number == count - 1
        following = _END_OF_TEXT if last else segments[number + 1][0]
        after[segment[-1]] = [(_NEXT, end), (_AFTER_NEXT, following)]
        after[end] = [(1.0, following)] if last else [(_NEXT, end), (_AFTER_NEXT, following)]
    return after


@define
class _Writer:
    """Writes one model in the ggml format of whisper.cpp."""

    file: BinaryIO
    size: Size
    random: np.random.Generator = field(factory=lambda: np.random.default_rng(1))

    def write(self, source: Path) -> None:
        """The whole file, with the vocabulary of another model."""
        filters, vocabulary, tokens = _vocabulary(source.read_bytes())
        it, width, heads = self.size, self.size.width, self.size.heads
        encoder, decoder = (_AUDIO_CTX, width, heads, it.layers), (_TEXT_CTX, width, heads, it.text_layers)
        self.file.write(struct.pack("<12i", _MAGIC, it.n_vocab, *encoder, *decoder, it.mels, _F16))
        self.file.write(filters if it.mels == _MELS else _filters(it.mels))
        self.file.write(vocabulary)
        self._encoder()
        self._decoder(_chain(tokens, it))

    def _encoder(self) -> None:
        width = self.size.width
        self._put("encoder.positional_embedding", self._noise(_AUDIO_CTX, width), exact=True)
        for name, inputs in (("conv1", self.size.mels), ("conv2", width)):
            self._put(f"encoder.{name}.weight", self._noise(width, inputs, 3))
            self._put(f"encoder.{name}.bias", np.zeros((width, 1)), exact=True)
        for layer in range(self.size.layers):
            block = f"encoder.blocks.{layer}"
            self._norm(f"{block}.attn_ln")
            self._attention(f"{block}.attn", silent=False)
            self._norm(f"{block}.mlp_ln")
            self._feed_forward(block, self._noise(4 * width, width), self._noise(width, 4 * width))
        self._norm("encoder.ln_post")

    def _decoder(self, after: Mapping[int, list[tuple[float, int]]]) -> None:
        width, layers = self.size.width, self.size.text_layers
        embedding = self._embedding()
        self._put("decoder.positional_embedding", np.zeros((_TEXT_CTX, width)), exact=True)
        self._put("decoder.token_embedding.weight", embedding)
        for layer in range(layers):
            block = f"decoder.blocks.{layer}"
            for name in ("attn", "cross_attn"):
                self._norm(f"{block}.{name}_ln")
                self._attention(f"{block}.{name}", silent=True)
            self._norm(f"{block}.mlp_ln")
            if layer < layers - 1:
                self._feed_forward(block, self._noise(4 * width, width), np.zeros((width, 4 * width)))
            else:
                self._feed_forward(block, *self._memory(embedding, after), bias=_OFF)
        self._norm("decoder.ln", gain=2.0)

    def _embedding(self) -> Numbers:
        """A direction for each token, all nearly at right angles."""
        embedding = self.random.standard_normal((self.size.n_vocab, self.size.width), dtype=np.float32)
        embedding -= embedding.mean(axis=1, keepdims=True)
        embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
        return embedding

    def _memory(self, embedding: Numbers, after: Mapping[int, list[tuple[float, int]]]) -> tuple[Numbers, Numbers]:
        """Two matrices: the rows of the first recognise a token, the columns of the second write what follows."""
        width = self.size.width
        recognise = self._noise(4 * width, width) / 20
        write = np.zeros((width, 4 * width), np.float32)
        for row, (token, following) in enumerate(after.items()):
            recognise[row] = embedding[token] * (_SHARPNESS / np.sqrt(width))
            write[:, row] = sum(weight * embedding[other] for weight, other in following)
        return recognise, write

    def _attention(self, name: str, *, silent: bool) -> None:
        width = self.size.width
        for part in ("query", "key", "value"):
            self._put(f"{name}.{part}.weight", self._noise(width, width))
            if part != "key":
                self._put(f"{name}.{part}.bias", np.zeros(width))
        self._put(f"{name}.out.weight", np.zeros((width, width)) if silent else self._noise(width, width))
        self._put(f"{name}.out.bias", np.zeros(width))

    def _feed_forward(self, block: str, first: Numbers, second: Numbers, *, bias: float = 0.0) -> None:
        self._put(f"{block}.mlp.0.weight", first)
        self._put(f"{block}.mlp.0.bias", np.full(4 * self.size.width, bias))
        self._put(f"{block}.mlp.2.weight", second)
        self._put(f"{block}.mlp.2.bias", np.zeros(self.size.width))

    def _norm(self, name: str, *, gain: float = 1.0) -> None:
        self._put(f"{name}.weight", np.full(self.size.width, gain))
        self._put(f"{name}.bias", np.zeros(self.size.width))

    def _noise(self, *shape: int) -> Numbers:
        return self.random.standard_normal(shape, dtype=np.float32) * np.float32(0.02)

    def _put(self, name: str, values: Numbers, *, exact: bool = False) -> None:
        """One tensor: matrices as half floats, unless they have to be exact; vectors as floats."""
        kind = _F32 if exact or values.ndim < 2 else _F16
        self.file.write(struct.pack("<3i", values.ndim, len(name), kind))
        self.file.write(struct.pack(f"<{values.ndim}i", *reversed(values.shape)))
        self.file.write(name.encode())
        self.file.write(values.astype("<f2" if kind == _F16 else "<f4").tobytes())
