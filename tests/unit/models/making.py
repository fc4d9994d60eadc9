"""Small whole models, made on the spot."""

import hashlib
import struct
from pathlib import Path

from whispercore.models.layout import Shape, Tensor, tensors

WORDS = (b" ", b" -", b" '", b" hello", b"")


def small_shape(*, state: int = 8, ftype: int = 1, n_vocab: int = 51_865) -> Shape:
    return Shape(n_vocab, 16, state, 2, 1, 64, state, 2, 1, 80, ftype)


def tensor_bytes(tensor: Tensor) -> bytes:
    header = struct.pack("<3i", len(tensor.dims), len(tensor.name), tensor.type.number)
    dims = struct.pack(f"<{len(tensor.dims)}i", *tensor.dims)
    return header + dims + tensor.name.encode() + bytes([len(tensor.name)]) * tensor.data_bytes


def head_bytes(shape: Shape, *, words: tuple[bytes, ...] = WORDS, n_words: int | None = None) -> bytes:
    numbers = (
        shape.n_vocab,
        shape.n_audio_ctx,
        shape.n_audio_state,
        shape.n_audio_head,
        shape.n_audio_layer,
        shape.n_text_ctx,
        shape.n_text_state,
        shape.n_text_head,
        shape.n_text_layer,
        shape.n_mels,
        shape.ftype,
    )
    vocabulary = b"".join(struct.pack("<I", len(word)) + word for word in words)
    mel = struct.pack("<2i", shape.n_mels, 201) + bytes(4 * shape.n_mels * 201)
    count = len(words) if n_words is None else n_words
    return b"lmgg" + struct.pack("<11i", *numbers) + mel + struct.pack("<i", count) + vocabulary


def make_model(shape: Shape | None = None) -> bytes:
    shape = shape or small_shape()
    return head_bytes(shape) + b"".join(tensor_bytes(tensor) for tensor in tensors(shape).values())


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
