"""The ggml library that pywhispercpp brings, opened with ctypes for what the binding lacks: quantising numbers."""

from __future__ import annotations

import ctypes as C  # noqa: N812
import functools
from importlib.util import find_spec
from pathlib import Path

from whispercore.errors import InvalidOption
from whispercore.models.layout import TensorType

_PLACES = ("pywhispercpp.libs/*ggml-base*", ".dylibs/libggml-base*", "libggml-base*", "ggml-base*.dll")
"""Beside the binding: where wheels of Linux and of macOS keep it, and builds from source."""

_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "ggml_blck_size": (C.c_int64, (C.c_int,)),
    "ggml_type_size": (C.c_size_t, (C.c_int,)),
    "ggml_quantize_chunk": (
        C.c_size_t,
        (C.c_int, C.c_void_p, C.c_void_p, C.c_int64, C.c_int64, C.c_int64, C.c_void_p),
    ),
}


def quantized(rows: bytes, width: int, type_: TensorType) -> bytes:
    """Rows of numbers in another form.

    Args:
        rows: Float32 numbers, finite.
        width: How many a row has, a multiple of the form's block.
        type_: The form.

    Raises:
        InvalidOption: The library is not there, or does not know the form.
    """
    library = _library()
    if (library.ggml_blck_size(type_.number), library.ggml_type_size(type_.number)) != (type_.block, type_.block_bytes):
        raise InvalidOption("to", f"the ggml of this pywhispercpp stores {type_.name} in another way")
    count = len(rows) // 4
    result = C.create_string_buffer(count // type_.block * type_.block_bytes)
    library.ggml_quantize_chunk(type_.number, rows, result, 0, count // width, width, None)
    return result.raw


@functools.cache
def _library() -> C.CDLL:
    binding = find_spec("_pywhispercpp")  # found and not imported: that would load all of whisper.cpp
    home = Path(binding.origin).parent if binding is not None and binding.origin is not None else None
    paths = [path for place in _PLACES for path in sorted(home.glob(place))] if home is not None else []
    try:
        library = C.CDLL(str(paths[0]))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (IndexError, OSError, AttributeError) as error:
        raise InvalidOption("to", "pywhispercpp's library ggml-base, which quantises, was not found") from error
    return library
