"""What would make whispercore faster on this machine, from what was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from whispercore_server.cli.doctor.findings import Report

_FLAGS: Final = "CMAKE_ARGS='-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON -DCMAKE_INSTALL_RPATH=$ORIGIN'"
_LLAMAFILE: Final = "LLAMAFILE"


@frozen(kw_only=True)
class Advice:
    """Something to do."""

    reason: str
    command: str
    missing: str | None = None
    """What must be installed before; None when nothing is known to be missing."""


def advise(report: Report) -> tuple[Advice, ...]:
    """The advice that fits this machine and what is installed on it."""
    return (*_about_whispercpp(report), *_about_ctranslate2(report))


def _about_whispercpp(report: Report) -> Iterator[Advice]:
    """None for an engine that could not be looked at, or that computes on a card.

    A build that is there already is not advised again: its card is what cannot be found.
    """
    binding = next((one.version for one in report.packages if one.name == "pywhispercpp"), None)
    if report.engine is None or report.engine.device != "cpu" or binding is None:
        return
    compiler = None if report.tools.compiler else "a C++ compiler (none of c++, g++ and clang++ is on the path)"
    apple = report.machine.system.startswith("Darwin") and report.machine.system.endswith("arm64")
    if apple and "MTL" not in report.engine.backends:
        yield Advice(
            reason="This pywhispercpp computes on the processor only. Build it with Metal to use Apple's graphics "
            "processor (not measured by us).",
            command=_build("GGML_METAL=ON", binding, origin="@loader_path"),
            missing=compiler,
        )
    if not report.machine.system.startswith("Linux"):
        return
    if _LLAMAFILE not in report.engine.features:
        yield Advice(
            reason="This pywhispercpp was built without LLAMAFILE. Built from source on this machine it computes "
            "1.4 to 1.9 times as fast (measured on Linux with AVX2 and AVX-512).",
            command=_build("GGML_LLAMAFILE=ON GGML_NATIVE=ON", binding),
            missing=compiler,
        )
    if report.nvidia and "CUDA" in report.engine.backends:
        yield Advice(
            reason=f"There is an NVIDIA card ({report.nvidia[0]}), and this pywhispercpp was built with CUDA, but "
            "it finds no card: its CUDA needs a driver that is new enough, and CUDA_VISIBLE_DEVICES may hide the card.",
            command="nvidia-smi",
        )
    elif report.nvidia:
        nvcc = None if report.tools.nvcc else "nvcc, of the CUDA toolkit (it is not on the path)"
        yield Advice(
            reason=f"There is an NVIDIA card ({report.nvidia[0]}), but this pywhispercpp computes on the processor "
            "only. Build it with CUDA to use the card.",
            command=_build("GGML_CUDA=1", binding),
            missing=" and ".join(filter(None, (compiler, nvcc))) or None,
        )
    if report.other_cards and "Vulkan" in report.engine.backends:
        yield Advice(
            reason=f"There is a graphics card of {report.other_cards[0]}, and this pywhispercpp was built with Vulkan, "
            "but it finds no card: it needs a driver for Vulkan, and GGML_VK_VISIBLE_DEVICES may hide the card.",
            command="vulkaninfo --summary",
        )
    elif report.other_cards:
        glslc = None if report.tools.glslc else "glslc and the headers of Vulkan (glslc is not on the path)"
        yield Advice(
            reason=f"There is a graphics card of {report.other_cards[0]}, but this pywhispercpp computes on the "
            "processor only. Build it with Vulkan to use the card (not measured by us).",
            command=_build("GGML_VULKAN=1", binding),
            missing=" and ".join(filter(None, (compiler, glslc))) or None,
        )


def _about_ctranslate2(report: Report) -> Iterator[Advice]:
    if not report.nvidia:
        return
    broken = any(problem.what == "ctranslate2" for problem in report.problems)
    if report.ctranslate2 is None and not broken:
        yield Advice(
            reason=f"There is an NVIDIA card ({report.nvidia[0]}). The engine faster-whisper computes on it, with "
            "models of CTranslate2, and needs no compiler.",
            command="pip install 'whispercore[cuda]'",
        )
    elif report.ctranslate2 is not None and not report.ctranslate2.cards:
        yield Advice(
            reason=f"There is an NVIDIA card ({report.nvidia[0]}), but CTranslate2 finds none: it needs CUDA's driver, "
            "and its libraries cuBLAS and cuDNN where the loader finds them.",
            command="pip install nvidia-cublas-cu12 nvidia-cudnn-cu12",
        )


def _build(switches: str, version: str, origin: str = "$ORIGIN") -> str:
    return (
        f"{switches} {_FLAGS.replace('$ORIGIN', origin)} pip install --force-reinstall --no-deps --no-cache-dir "
        f"--no-binary pywhispercpp pywhispercpp=={version}"
    )
