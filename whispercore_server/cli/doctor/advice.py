"""What would make whispercore faster on this machine, from what was found."""

from __future__ import annotations

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
    """The advice that fits; none for an engine that could not be looked at, or that computes on a card."""
    binding = next((one.version for one in report.packages if one.name == "pywhispercpp"), None)
    if report.engine is None or report.engine.device != "cpu" or binding is None:
        return ()
    if not report.machine.system.startswith("Linux"):
        return ()
    found = []
    compiler = None if report.tools.compiler else "a C++ compiler (none of c++, g++ and clang++ is on the path)"
    if _LLAMAFILE not in report.engine.features:
        found.append(
            Advice(
                reason="This pywhispercpp was built without LLAMAFILE. Built from source on this machine it computes "
                "1.4 to 1.9 times as fast (measured on Linux with AVX2 and AVX-512).",
                command=_build("GGML_LLAMAFILE=ON GGML_NATIVE=ON", binding),
                missing=compiler,
            )
        )
    if report.nvidia:
        nvcc = None if report.tools.nvcc else "nvcc, of the CUDA toolkit (it is not on the path)"
        found.append(
            Advice(
                reason=f"There is an NVIDIA card ({report.nvidia[0]}), but this pywhispercpp computes on the processor "
                "only. Build it with CUDA to use the card.",
                command=_build("GGML_CUDA=1", binding),
                missing=" and ".join(filter(None, (compiler, nvcc))) or None,
            )
        )
    return tuple(found)


def _build(switches: str, version: str) -> str:
    return (
        f"{switches} {_FLAGS} pip install --force-reinstall --no-deps --no-cache-dir "
        f"--no-binary pywhispercpp pywhispercpp=={version}"
    )
