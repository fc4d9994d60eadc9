"""Model files with smaller numbers: what whisper.cpp's own program for it makes of half floats, byte for byte.

Where the numbers are whole floats, its files cannot be loaded: whisper.cpp wants the filters of quantised models as
half floats, and here they become that.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from attrs import asdict, evolve, frozen

from whispercore.errors import InvalidOption, ModelDamaged
from whispercore.models import ggml
from whispercore.models.layout import F16, F32, FILE_TYPES, Shape, Tensor, TensorType, fault, tensors

_VERSION: Final = 2000
"""That of ggml's quantisation, as whisper.cpp writes it into the header."""
_PIECE_NUMBERS: Final = 1 << 20
_HEADER_BYTES: Final = 48

KINDS: Final = {kind.name.lower(): number for number, kind in FILE_TYPES.items() if kind not in (F32, F16)}
"""The forms that there are, with the number that a file's header has for each."""


@frozen(kw_only=True)
class Plan:
    """What a model file will become."""

    before: Shape
    after: Shape

    @property
    def saved_bytes(self) -> int:
        """How much smaller it will be."""
        return _weights_bytes(self.before) - _weights_bytes(self.after)


def plan(source: Path, kind: str) -> Plan:
    """Ask what a model would become.

    Args:
        source: A whole model file.
        kind: One of ``KINDS``.

    Raises:
        InvalidOption: There is no such form, or this model cannot have it.
        ModelDamaged: The file cannot be read.
    """
    if kind not in KINDS:
        raise InvalidOption("to", f"{kind!r} is none of {', '.join(KINDS)}")
    with source.open("rb") as file:
        before = _shape(file, source)
    if before.weights not in (F32, F16):
        raise InvalidOption("to", f"the model is quantised already, to {before.weights.name}; start from the original")
    after = evolve(before, ftype=_VERSION + KINDS[kind])
    if (reason := fault(after)) is not None:
        raise InvalidOption("to", reason)
    return Plan(before=before, after=after)


def pieces(source: Path, planned: Plan) -> Iterator[bytes]:
    """The smaller model, piece by piece.

    Args:
        source: The model file.
        planned: What ``plan`` said of it.

    Raises:
        InvalidOption: pywhispercpp's library lacks the form.
        ModelDamaged: The file has changed meanwhile, ends too early, or has numbers that are none.
    """
    with source.open("rb") as file:
        yield from _pieces(file, source, planned)


def _pieces(file: BinaryIO, path: Path, planned: Plan) -> Iterator[bytes]:
    if _shape(file, path) != planned.before:
        raise ModelDamaged(str(path), "it has changed meanwhile")
    yield b"lmgg" + struct.pack("<11i", *asdict(planned.after).values())
    yield from _filters_and_vocabulary(file, path)
    before, after = tensors(planned.before), tensors(planned.after)
    for _ in before:
        head = _take(file, 12, path)
        n_dims, length, _ = struct.unpack("<3i", head)
        dims, name = _take(file, 4 * n_dims, path), _take(file, length, path)
        try:
            was, will = before[name.decode()], after[name.decode()]
        except (KeyError, UnicodeDecodeError):
            raise ModelDamaged(str(path), f"it has a tensor {name!r}, which Whisper has not") from None
        yield struct.pack("<3i", n_dims, length, will.type.number) + dims + name
        if was.type == will.type:
            yield from _copied(file, was.data_bytes, path)
        else:
            yield from _smaller(file, was, will.type, path)


def _filters_and_vocabulary(file: BinaryIO, path: Path) -> Iterator[bytes]:
    head = _take(file, 8, path)
    bands, bins = struct.unpack("<2i", head)
    yield head + _take(file, 4 * bands * bins, path)
    head = _take(file, 4, path)
    yield head
    for _ in range(int.from_bytes(head, "little")):
        head = _take(file, 4, path)
        yield head + _take(file, int.from_bytes(head, "little"), path)


def _copied(file: BinaryIO, size_bytes: int, path: Path) -> Iterator[bytes]:
    while size_bytes:
        piece = _take(file, min(size_bytes, 4 * _PIECE_NUMBERS), path)
        size_bytes -= len(piece)
        yield piece


def _smaller(file: BinaryIO, tensor: Tensor, kind: TensorType, path: Path) -> Iterator[bytes]:
    import numpy as np  # noqa: PLC0415 - needed by few processes

    width, rows = tensor.dims[0], math.prod(tensor.dims[1:])
    at_once = max(1, _PIECE_NUMBERS // width)
    while rows:
        n_rows = min(rows, at_once)
        raw = _take(file, n_rows * width * tensor.type.block_bytes, path)
        numbers = np.frombuffer(raw, "<f2" if tensor.type is F16 else "<f4").astype("=f4")
        if not np.isfinite(numbers).all():
            raise ModelDamaged(str(path), f"its tensor {tensor.name!r} has numbers that are not finite")
        yield numbers.astype("<f2").tobytes() if kind is F16 else ggml.quantized(numbers.tobytes(), width, kind)
        rows -= n_rows


def _shape(file: BinaryIO, path: Path) -> Shape:
    return Shape(*struct.unpack("<11i", _take(file, _HEADER_BYTES, path)[4:]))


def _take(file: BinaryIO, count: int, path: Path) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise ModelDamaged(str(path), "it ends too early")
    return data


def _weights_bytes(shape: Shape) -> int:
    return sum(tensor.data_bytes for tensor in tensors(shape).values())
