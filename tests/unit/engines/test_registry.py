"""What whisper.cpp computes on: ggml's registry as other builds show it, and that of the library here."""

from __future__ import annotations

import ctypes as C  # noqa: N812 (as everywhere that structures are written out)
from types import SimpleNamespace
from typing import Any, cast

import pytest
from attrs import frozen

from whispercore.engines.whispercpp import registry
from whispercore.engines.whispercpp.binding import Binding
from whispercore.engines.whispercpp.library import UnknownLibrary
from whispercore.engines.whispercpp.messages import Device
from whispercore.engines.whispercpp.registry import Registry, cuda_cards, device_used, from_words
from whispercore.engines.whispercpp.states import States
from whispercore.models.store import ModelFile

CPU, GPU, IGPU, ACCEL = range(4)


@frozen
class Found:
    """A device as a back end of ggml tells it."""

    backend: str
    type: int
    name: str
    description: str = ""
    memory_bytes: int = 0


PROCESSOR = Found("CPU", CPU, "CPU", "AMD EPYC", 64 << 30)
BLAS = Found("BLAS", ACCEL, "BLAS", "OpenBLAS")
T4 = Found("CUDA", GPU, "CUDA0", "Tesla T4", 15 << 30)
L4 = Found("CUDA", GPU, "CUDA1", "NVIDIA L4", 22 << 30)
RADEON = Found("Vulkan", GPU, "Vulkan0", "AMD Radeon RX 7900 XTX (RADV NAVI31)", 24 << 30)
IRIS = Found("Vulkan", IGPU, "Vulkan0", "Intel(R) Iris(R) Xe Graphics")
APPLE = Found("MTL", GPU, "MTL0", "Apple M2", 16 << 30)


class Library:
    """ggml's functions over devices that are not here; addresses are numbers from 1.

    Args:
        found: In the order of the registry.
        backends: Those that found nothing.
    """

    def __init__(self, *found: Found, backends: tuple[str, ...] = ()) -> None:
        names = list(dict.fromkeys([*backends, *(one.backend for one in found)]))
        self.asked: list[str] = []

        def memory(address: int, free: Any, total: Any) -> None:
            self.asked.append(found[address - 1].name)
            free._obj.value, total._obj.value = 1, found[address - 1].memory_bytes

        functions = {
            "reg_count": lambda: len(names),
            "reg_get": lambda number: number + 1,
            "reg_name": lambda address: names[address - 1].encode(),
            "dev_count": lambda: len(found),
            "dev_get": lambda number: number + 1,
            "dev_type": lambda address: found[address - 1].type,
            "dev_name": lambda address: found[address - 1].name.encode(),
            "dev_description": lambda address: found[address - 1].description.encode(),
            "dev_memory": memory,
            "dev_backend_reg": lambda address: names.index(found[address - 1].backend) + 1,
        }
        self.library = cast("C.CDLL", SimpleNamespace(**{f"ggml_backend_{name}": it for name, it in functions.items()}))


@pytest.mark.parametrize(
    ("found", "device"),
    [
        ([PROCESSOR], Device("cpu", backends=("CPU",))),
        ([BLAS, PROCESSOR], Device("cpu", backends=("BLAS", "CPU"))),
        ([T4, PROCESSOR], Device("cuda", "CUDA0", "Tesla T4", 15 << 30, ("CUDA", "CPU"))),
        ([RADEON, PROCESSOR], Device("vulkan", "Vulkan0", RADEON.description, 24 << 30, ("Vulkan", "CPU"))),
        ([IRIS, PROCESSOR], Device("vulkan", "Vulkan0", IRIS.description, None, ("Vulkan", "CPU"))),
        ([APPLE, BLAS, PROCESSOR], Device("metal", "MTL0", "Apple M2", 16 << 30, ("MTL", "BLAS", "CPU"))),
    ],
)
def test_the_device_is_the_one_that_whispercpp_takes(found: list[Found], device: Device) -> None:
    assert Registry(Library(*found).library).used() == device


def test_a_card_that_is_not_used_is_not_told() -> None:
    both = Library(T4, L4, PROCESSOR)
    assert Registry(both.library).used(number=1).name == "CUDA1"
    assert both.asked == ["CUDA1"]  # CUDA takes memory on each card that it is asked of
    assert Registry(both.library).used(number=2).kind == "cpu"
    assert Registry(both.library).used(use_gpu=False).kind == "cpu"


def test_a_build_whose_card_is_away_is_told() -> None:
    assert Registry(Library(PROCESSOR, backends=("CUDA",)).library).used() == Device("cpu", backends=("CUDA", "CPU"))


@pytest.mark.parametrize(
    ("system", "kind"),
    [
        ("WHISPER : COREML = 0 | CPU : AVX2 = 1 | ", "cpu"),
        ("WHISPER : COREML = 0 | CUDA : ARCHS = 750 | CPU : AVX2 = 1 | ", "cuda"),
        ("WHISPER : COREML = 0 | MTL : EMBED_LIBRARY = 1 | CPU : NEON = 1 | ", "metal"),
        ("AVX2 = 1 | METAL = 0 | CUDA = 1 | ", "cuda"),
    ],
)
def test_without_a_registry_its_words_tell(monkeypatch: pytest.MonkeyPatch, system: str, kind: str) -> None:
    def nowhere() -> None:
        raise UnknownLibrary("no libwhisper")

    assert from_words(system) == Device(kind)
    monkeypatch.setattr(registry, "library_path", nowhere)
    assert device_used(system) == Device(kind)


def test_cards_of_nvidia_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are not: their numbers are not those by which they can be hidden from a child."""
    stand_in = Library(PROCESSOR, BLAS, T4, RADEON, L4).library
    monkeypatch.setattr(registry, "library_path", lambda: "libwhisper")
    monkeypatch.setattr(C, "CDLL", lambda _: stand_in)
    assert cuda_cards() == 2


def test_the_library_here_tells(micro: ModelFile) -> None:
    """Through either way to it; the wheel computes on the processor, and has nothing else."""
    device = States(str(micro.path), 1).device
    assert Binding(str(micro.path), 1).device == device
    assert "CPU" in device.backends
    assert (device.kind == "cpu") == (device.name is None)
