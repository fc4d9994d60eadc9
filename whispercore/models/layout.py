"""What whisper.cpp expects in a model file: hyperparameters within reason, and which tensors of what shape and type."""

from __future__ import annotations

import math
from collections.abc import Iterator

from attrs import asdict, frozen

ENGLISH_VOCABULARY = 51_864
"""Vocabulary entries of the English models."""
LARGEST_VOCABULARY = 51_866
"""Vocabulary entries of the models with 100 languages; the other multilingual ones have one fewer."""


@frozen
class TensorType:
    """How numbers are stored: blocks of ``block`` numbers in ``block_bytes`` bytes."""

    number: int
    """What ggml calls it in a file."""
    name: str
    block: int
    block_bytes: int


F32 = TensorType(0, "f32", 1, 4)
F16 = TensorType(1, "f16", 1, 2)

FILE_TYPES = {
    0: F32,
    1: F16,
    2: TensorType(2, "q4_0", 32, 18),
    3: TensorType(3, "q4_1", 32, 20),
    7: TensorType(8, "q8_0", 32, 34),
    8: TensorType(6, "q5_0", 32, 22),
    9: TensorType(7, "q5_1", 32, 24),
    10: TensorType(10, "q2_K", 256, 84),
    11: TensorType(11, "q3_K", 256, 110),
    12: TensorType(12, "q4_K", 256, 144),
    13: TensorType(13, "q5_K", 256, 176),
    14: TensorType(14, "q6_K", 256, 210),
}
"""The type of the large matrices, by the number in the file's header."""

_VERSION_FACTOR = 1000
"""The header's number is the type plus this times the version of the quantisation."""


@frozen
class Shape:
    """The hyperparameters, in the order of the file."""

    n_vocab: int
    n_audio_ctx: int
    n_audio_state: int
    n_audio_head: int
    n_audio_layer: int
    n_text_ctx: int
    n_text_state: int
    n_text_head: int
    n_text_layer: int
    n_mels: int
    ftype: int

    @property
    def weights(self) -> TensorType:
        """The type of the large matrices."""
        return FILE_TYPES[self.ftype % _VERSION_FACTOR]


_LIMITS = {
    # Other vocabularies would shift whisper.cpp's special tokens, or make it read past the end of its tables.
    "n_vocab": (ENGLISH_VOCABULARY, LARGEST_VOCABULARY, "vocabulary entries"),
    "n_audio_ctx": (1, 8192, "audio positions"),
    "n_audio_state": (1, 8192, "numbers in an audio state"),
    "n_audio_head": (1, 256, "audio heads"),
    "n_audio_layer": (1, 256, "audio layers"),
    # Prompts take up to half of it, so that a small one overflows.
    "n_text_ctx": (64, 8192, "text positions"),
    "n_text_state": (1, 8192, "numbers in a text state"),
    "n_text_head": (1, 256, "text heads"),
    "n_text_layer": (1, 256, "text layers"),
    "n_mels": (1, 512, "mel bands"),
}


def fault(shape: Shape) -> str | None:
    """Why whisper.cpp could not work with these hyperparameters, in words; None when it can."""
    values: dict[str, int] = asdict(shape)
    for name, (low, high, words) in _LIMITS.items():
        if not low <= values[name] <= high:
            return f"its header asks for {values[name]:,} {words}, and only {low:,} to {high:,} make sense"
    if shape.ftype < 0 or shape.ftype % _VERSION_FACTOR not in FILE_TYPES:
        return f"its header names the number format {shape.ftype}, which is unknown"
    if shape.n_audio_state != shape.n_text_state:
        return f"its audio states have {shape.n_audio_state} numbers, but its text states {shape.n_text_state}"
    if shape.n_audio_state % shape.n_audio_head or shape.n_text_state % shape.n_text_head:
        return "its states cannot be divided evenly among its heads"
    if shape.n_audio_state % shape.weights.block:
        return f"its states cannot be stored as {shape.weights.name}"
    return None


@frozen
class Tensor:
    """One tensor as it must be in the file."""

    name: str
    dims: tuple[int, ...]
    type: TensorType

    @property
    def data_bytes(self) -> int:
        """Size of its numbers."""
        return math.prod(self.dims) // self.type.block * self.type.block_bytes

    @property
    def header_bytes(self) -> int:
        """Size of what precedes them."""
        return 12 + 4 * len(self.dims) + len(self.name)


def tensors(shape: Shape) -> dict[str, Tensor]:
    """Every tensor of a model with these hyperparameters, by name."""
    return {tensor.name: tensor for tensor in (*_encoder(shape), *_decoder(shape))}


def _encoder(shape: Shape) -> Iterator[Tensor]:
    state = shape.n_audio_state
    filters = F32 if shape.weights is F32 else F16
    yield Tensor("encoder.positional_embedding", (state, shape.n_audio_ctx), F32)
    yield Tensor("encoder.conv1.weight", (3, shape.n_mels, state), filters)
    yield Tensor("encoder.conv1.bias", (1, state), F32)
    yield Tensor("encoder.conv2.weight", (3, state, state), filters)
    yield Tensor("encoder.conv2.bias", (1, state), F32)
    yield from _norm("encoder.ln_post", state)
    for layer in range(shape.n_audio_layer):
        yield from _block(f"encoder.blocks.{layer}", state, shape.weights)


def _decoder(shape: Shape) -> Iterator[Tensor]:
    state = shape.n_text_state
    yield Tensor("decoder.positional_embedding", (state, shape.n_text_ctx), F32)
    yield Tensor("decoder.token_embedding.weight", (state, shape.n_vocab), shape.weights)
    yield from _norm("decoder.ln", state)
    for layer in range(shape.n_text_layer):
        name = f"decoder.blocks.{layer}"
        yield from _block(name, state, shape.weights)
        yield from _norm(f"{name}.cross_attn_ln", state)
        yield from _attention(f"{name}.cross_attn", state, shape.weights)


def _block(name: str, state: int, weights: TensorType) -> Iterator[Tensor]:
    yield from _norm(f"{name}.mlp_ln", state)
    yield Tensor(f"{name}.mlp.0.weight", (state, 4 * state), weights)
    yield Tensor(f"{name}.mlp.0.bias", (4 * state,), F32)
    yield Tensor(f"{name}.mlp.2.weight", (4 * state, state), weights)
    yield Tensor(f"{name}.mlp.2.bias", (state,), F32)
    yield from _norm(f"{name}.attn_ln", state)
    yield from _attention(f"{name}.attn", state, weights)


def _attention(name: str, state: int, weights: TensorType) -> Iterator[Tensor]:
    for part in ("query", "key", "value", "out"):
        yield Tensor(f"{name}.{part}.weight", (state, state), weights)
        if part != "key":
            yield Tensor(f"{name}.{part}.bias", (state,), F32)


def _norm(name: str, state: int) -> Iterator[Tensor]:
    yield Tensor(f"{name}.weight", (state,), F32)
    yield Tensor(f"{name}.bias", (state,), F32)
