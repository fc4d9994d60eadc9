"""Is this file a whole whisper.cpp model? Asked before C sees it, because C crashes on those that are not.

The file is walked from header to header; the numbers of the tensors are skipped. That takes milliseconds for every
size, and finds everything but altered numbers, which only a checksum finds.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from attrs import frozen

from whispercore.errors import ModelDamaged
from whispercore.models.layout import ENGLISH_VOCABULARY, Shape, Tensor, fault, tensors

_MAGIC = b"lmgg"
_FFT_BINS = 201
"""What whisper.cpp's spectrum has; with more, it would read past the end."""
_LONGEST_WORD = 4096
_LONGEST_NAME = 128
_MOST_DIMS = 4
_NEEDED_WORDS = frozenset({b" ", b" -", b" '"})
"""whisper.cpp looks these up without asking whether they exist."""

_SIZES = {(4, 384): "tiny", (6, 512): "base", (12, 768): "small", (24, 1024): "medium", (32, 1280): "large"}

_FOREIGN = (
    (_MAGIC + b"\x0a\0\0\0silero", "it is a model that finds speech (VAD), not one that transcribes it"),
    (b"GGUF", "it is a GGUF file, as llama.cpp uses them; whisper.cpp needs its own format, ggml"),
    (b"ggml", "its bytes are in the order of another kind of processor (big-endian)"),
    (b"PK\x03\x04", "it is a ZIP archive, perhaps a PyTorch model, which must be converted to ggml first"),
    (b"\x80\x02", "it is a Python pickle, perhaps a PyTorch model, which must be converted to ggml first"),
    (b"version https://git-lfs", "it is a Git LFS pointer, not the file itself; `git lfs pull` fetches that"),
)


@frozen(kw_only=True)
class ModelInfo:
    """What the header of a model says."""

    type: str
    """``tiny``, ``base``, ``small``, ``medium`` or ``large`` when it has that size; else ``custom``."""
    multilingual: bool
    n_vocab: int
    n_audio_layer: int
    n_text_layer: int
    n_audio_state: int
    n_text_state: int
    n_mels: int
    n_audio_ctx: int
    n_text_ctx: int
    quantization: str
    """How most of the numbers are stored, such as ``f16`` or ``q5_1``."""
    size_bytes: int

    @property
    def window_s(self) -> float:
        """Length of the windows it does best with, in seconds.

        Whisper's own sizes were trained on 30 s. Smaller models lose their place in so much speech: of ``talk.wav``,
        ``micro`` gets three words in a hundred wrong in windows of 10 s, and ten to twenty in windows of 30 s.
        """
        return 30.0 if self.n_text_state >= _WHISPER_STATE else 10.0


_WHISPER_STATE = 384
"""Width of ``tiny``, the smallest published size."""


def inspect(path: Path) -> ModelInfo:
    """Check that a file is a whole whisper.cpp model, without reading its weights.

    Args:
        path: The file.

    Raises:
        ModelDamaged: It is not one, or it cannot be read. ``reason`` says why, for people.
    """
    with ModelBytes(path) as model:
        return model.inspect()


class ModelBytes:
    """A model file, opened once: what is said of it is true of one and the same file.

    Another process may give the name to another file at any time. The descriptor stays with the one that was opened.

    Args:
        path: The file.

    Raises:
        ModelDamaged: It cannot be read. ``reason`` says why, for people.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._readable():
            # Asked before it is opened: that of a pipe would wait for somebody who writes.
            if not stat.S_ISREG(path.stat().st_mode):
                raise ModelDamaged(str(path), "it is a folder" if path.is_dir() else "it is not an ordinary file")
            self._file = path.open("rb")
            self.status = os.fstat(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def is_current(self) -> bool:
        """Whether the name still belongs to the file that was opened."""
        try:
            now = self.path.stat()
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == (self.status.st_dev, self.status.st_ino)

    def inspect(self) -> ModelInfo:
        """Check that it is a whole model, as ``inspect`` does.

        Raises:
            ModelDamaged: It is not one, or it cannot be read.
        """
        with self._readable():
            self._file.seek(0)
            return _Walk(self.path, self._file, self.status.st_size).walk()

    def sha256(self) -> str:
        """Its SHA-256, in hexadecimal; all of it is read, in pieces.

        Raises:
            ModelDamaged: It cannot be read.
        """
        with self._readable():
            self._file.seek(0)
            return hashlib.file_digest(self._file, "sha256").hexdigest()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise ModelDamaged(str(self.path), "there is no such file") from None
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else None
            raise ModelDamaged(str(self.path), f"it cannot be read ({why or error})") from error


def foreign(head: bytes) -> str | None:
    """What a file is that begins with these bytes, in words; None when it may be a whisper.cpp model.

    Args:
        head: The first bytes; 64 are enough.
    """
    if not head:
        return "it is an empty file"
    for mark, words in _FOREIGN:
        if head.startswith(mark):
            return words
    if head.startswith(_MAGIC):
        return None
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for tag in (b"<!doctype html", b"<html"):
        if text[: len(tag)].lower() == tag:
            return f"it begins with '{text[: len(tag)].decode('ascii')}', which is a web page"
    return f"it begins with {head[:12]!r}, and a ggml file with {_MAGIC!r}"


class _Walk:
    """One walk through one file."""

    def __init__(self, path: Path, file: BinaryIO, size_bytes: int) -> None:
        self._path = path
        self._file = file
        self._size = size_bytes
        self._expected_size: int | None = None

    def walk(self) -> ModelInfo:
        head = self._file.read(64)
        if (words := foreign(head)) is not None:
            raise self._damaged(words)
        self._file.seek(len(_MAGIC))
        shape = Shape(*self._numbers(11))
        if (words := fault(shape)) is not None:
            raise self._damaged(words)
        self._skip_mel_filters(shape)
        self._skip_vocabulary(shape)
        self._skip_tensors(tensors(shape))
        return _info(shape, self._size)

    def _skip_mel_filters(self, shape: Shape) -> None:
        bands, bins = self._numbers(2)
        if (bands, bins) != (shape.n_mels, _FFT_BINS):
            raise self._damaged(f"its mel filters are {bands:,} by {bins:,}, not {shape.n_mels} by {_FFT_BINS}")
        self._skip(4 * bands * bins)

    def _skip_vocabulary(self, shape: Shape) -> None:
        (count,) = self._numbers(1)
        if not 0 < count <= shape.n_vocab:
            raise self._damaged(f"its header asks for {count:,} vocabulary entries, but allows {shape.n_vocab:,}")
        missing = set(_NEEDED_WORDS)
        for index in range(count):
            length = int.from_bytes(self._take(4), "little")
            if length > _LONGEST_WORD:
                raise self._damaged(f"entry {index:,} of its vocabulary would be {length:,} bytes long")
            missing.discard(self._take(length))
        if missing:
            raise self._damaged(f"its vocabulary lacks {min(missing).decode('ascii')!r}")

    def _skip_tensors(self, expected: dict[str, Tensor]) -> None:
        start = self._file.tell()
        self._expected_size = start + sum(tensor.header_bytes + tensor.data_bytes for tensor in expected.values())
        seen: set[str] = set()
        for _ in expected:
            tensor = self._tensor(expected)
            if tensor.name in seen:
                raise self._damaged(f"it has {tensor.name!r} twice")
            seen.add(tensor.name)
            self._skip(tensor.data_bytes)
        if self._size > self._file.tell():
            raise self._damaged(f"it goes on for {self._size - self._file.tell():,} bytes after its end")

    def _tensor(self, expected: dict[str, Tensor]) -> Tensor:
        n_dims, name_length, type_number = self._numbers(3)
        if not 1 <= n_dims <= _MOST_DIMS or not 0 < name_length <= _LONGEST_NAME:
            raise self._damaged(f"it has something that is no tensor at byte {self._file.tell() - 12:,}")
        dims = self._numbers(n_dims)
        name = self._take(name_length).decode("utf-8", "backslashreplace")
        tensor = expected.get(name)
        if tensor is None:
            raise self._damaged(f"it has a tensor {name!r}, which Whisper has not")
        if dims != tensor.dims:
            raise self._damaged(f"its tensor {name!r} has the shape {dims}, not {tensor.dims}")
        if type_number != tensor.type.number:
            raise self._damaged(f"its tensor {name!r} has the type {type_number}, not {tensor.type.name}")
        return tensor

    def _numbers(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}i", self._take(4 * count))

    def _take(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise self._cut_off()
        return data

    def _skip(self, count: int) -> None:
        if self._file.seek(count, os.SEEK_CUR) > self._size:
            raise self._cut_off()

    def _cut_off(self) -> ModelDamaged:
        have, whole = f"{self._size / 1e6:.1f}", self._expected_size
        if whole is None:
            return self._damaged(f"it ends after {have} MB, before its weights begin")
        if f"{whole / 1e6:.1f}" == have:
            return self._damaged(f"it ends {whole - self._size:,} bytes too early")
        return self._damaged(f"it ends after {have} of {whole / 1e6:.1f} MB")

    def _damaged(self, reason: str) -> ModelDamaged:
        return ModelDamaged(str(self._path), reason)


def _info(shape: Shape, size_bytes: int) -> ModelInfo:
    return ModelInfo(
        type=_SIZES.get((shape.n_audio_layer, shape.n_audio_state), "custom"),
        multilingual=shape.n_vocab > ENGLISH_VOCABULARY,
        n_vocab=shape.n_vocab,
        n_audio_layer=shape.n_audio_layer,
        n_text_layer=shape.n_text_layer,
        n_audio_state=shape.n_audio_state,
        n_text_state=shape.n_text_state,
        n_mels=shape.n_mels,
        n_audio_ctx=shape.n_audio_ctx,
        n_text_ctx=shape.n_text_ctx,
        quantization=shape.weights.name,
        size_bytes=size_bytes,
    )
