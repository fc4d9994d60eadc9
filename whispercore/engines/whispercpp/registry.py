"""What whisper.cpp computes on, by the registry of devices in its own ggml.

Its words on the system do not tell: they name features of back ends, and Vulkan has none. Where the registry cannot be
reached, as in a library that was linked into one file or on Windows, they are all that there is.
"""

from __future__ import annotations

import ctypes as C  # noqa: N812 (as everywhere that structures are written out)
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from whispercore.engines.whispercpp.library import UnknownLibrary, library_path
from whispercore.engines.whispercpp.messages import Device

_CARDS: Final = (1, 2)
"""``GGML_BACKEND_DEVICE_TYPE_GPU`` and ``_IGPU``: neither the processor, nor what only helps it, such as BLAS."""
_KINDS: Final[Mapping[str, str]] = {"MTL": "metal"}
_WORDS: Final[Mapping[str, Sequence[str]]] = {
    "cuda": ("CUDA :", "CUDA = 1"),
    "vulkan": ("Vulkan :", "VULKAN = 1"),
    "metal": ("MTL :", "Metal :", "METAL = 1"),
}
_SIGNATURES: Final[Mapping[str, tuple[object, tuple[object, ...]]]] = {
    "ggml_backend_reg_count": (C.c_size_t, ()),
    "ggml_backend_reg_get": (C.c_void_p, (C.c_size_t,)),
    "ggml_backend_reg_name": (C.c_char_p, (C.c_void_p,)),
    "ggml_backend_dev_count": (C.c_size_t, ()),
    "ggml_backend_dev_get": (C.c_void_p, (C.c_size_t,)),
    "ggml_backend_dev_type": (C.c_int, (C.c_void_p,)),
    "ggml_backend_dev_name": (C.c_char_p, (C.c_void_p,)),
    "ggml_backend_dev_description": (C.c_char_p, (C.c_void_p,)),
    "ggml_backend_dev_memory": (None, (C.c_void_p, C.POINTER(C.c_size_t), C.POINTER(C.c_size_t))),
    "ggml_backend_dev_backend_reg": (C.c_void_p, (C.c_void_p,)),
}


@frozen
class Registered:
    """A device of the registry."""

    address: int
    backend: str
    """Such as ``CPU``, ``CUDA``, ``Vulkan``, ``MTL`` and ``BLAS``."""
    type: int
    """``ggml_backend_dev_type``."""
    name: str
    description: str


class Registry:
    """What ggml was built with, and what it found.

    Args:
        library: With the functions of ggml.

    Raises:
        AttributeError: It lacks them.
    """

    def __init__(self, library: C.CDLL) -> None:
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        self._c = library
        registered = (library.ggml_backend_reg_get(number) for number in range(library.ggml_backend_reg_count()))
        self.backends = tuple(_text(library.ggml_backend_reg_name(one)) for one in registered)
        devices = (library.ggml_backend_dev_get(number) for number in range(library.ggml_backend_dev_count()))
        self.devices = tuple(self._device(one) for one in devices)

    def used(self, *, use_gpu: bool = True, number: int = 0) -> Device:
        """The device that whisper.cpp takes, as it chooses.

        Args:
            use_gpu: As in the parameters that the model was opened with.
            number: Which of the cards; ``gpu_device`` there.
        """
        cards = [one for one in self.devices if one.type in _CARDS] if use_gpu else []
        if number >= len(cards):
            return Device("cpu", backends=self.backends)
        it = cards[number]
        kind = _KINDS.get(it.backend, it.backend.lower())
        return Device(kind, it.name, it.description, self._memory_bytes(it), self.backends)

    def _device(self, address: int) -> Registered:
        return Registered(
            address=address,
            backend=_text(self._c.ggml_backend_reg_name(self._c.ggml_backend_dev_backend_reg(address))),
            type=self._c.ggml_backend_dev_type(address),
            name=_text(self._c.ggml_backend_dev_name(address)),
            description=_text(self._c.ggml_backend_dev_description(address)),
        )

    def _memory_bytes(self, device: Registered) -> int | None:
        """Only of a card that is used: CUDA takes memory on each that it is asked of."""
        free, total = C.c_size_t(), C.c_size_t()
        self._c.ggml_backend_dev_memory(device.address, C.byref(free), C.byref(total))
        return total.value or None


def device_used(system: str, *, use_gpu: bool = True, number: int = 0) -> Device:
    """What this process's libwhisper computes on, once a model was loaded: back ends may be loaded with it.

    Args:
        system: Its own words.
        use_gpu: As in ``Registry.used``.
        number: As there.
    """
    try:
        registry = Registry(C.CDLL(str(library_path())))  # the loader finds ggml's functions with it
    except (UnknownLibrary, OSError, AttributeError):
        return from_words(system)
    return registry.used(use_gpu=use_gpu, number=number)


def cuda_cards() -> int:
    """How many cards of NVIDIA this process's libwhisper can compute on; 0 where the registry cannot be reached."""
    try:
        registry = Registry(C.CDLL(str(library_path())))
    except (UnknownLibrary, OSError, AttributeError):
        return 0
    return sum(one.backend == "CUDA" and one.type in _CARDS for one in registry.devices)


def from_words(system: str) -> Device:
    """The device from what ``whisper_print_system_info`` says, as far as that goes."""
    kinds = (kind for kind, words in _WORDS.items() if any(word in system for word in words))
    return Device(next(kinds, "cpu"))


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace").strip()
