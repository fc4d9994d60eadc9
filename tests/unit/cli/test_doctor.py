import json
import re
from pathlib import Path

import pytest
from attrs import evolve
from typer.testing import CliRunner

from whispercore.errors import EngineCrashed
from whispercore_server.cli import app
from whispercore_server.cli.doctor import machine, trial
from whispercore_server.cli.doctor.advice import advise
from whispercore_server.cli.doctor.findings import (
    CTranslate2,
    DeclaredEngine,
    Engine,
    Machine,
    Package,
    Problem,
    Report,
    Tools,
)

ENGINE = Engine(
    library="whisper-cpp 1.8.5",
    shared_weights=True,
    slots=2,
    device="cpu",
    card=None,
    card_memory_bytes=None,
    backends=("CPU",),
    features=("AVX2", "LLAMAFILE"),
    system="",
    load_s=0.1,
    decode_s=0.1,
)
REPORT = Report(
    packages=(Package(name="pywhispercpp", version="1.5.1"),),
    extras=(),
    machine=Machine(
        system="Linux 6 x86_64",
        processor="p",
        python="CPython",
        cores=2,
        host_cores=4,
        cgroup_cores=None,
        memory_bytes=None,
        cgroup_memory_bytes=None,
    ),
    engine=ENGINE,
    engines=(DeclaredEngine(name="parrot", options=("prompt",)),),
    ctranslate2=CTranslate2(version="4.8.5", cards=1, compute_types=("float16",)),
    decoder=None,
    nvidia=(),
    other_cards=(),
    tools=Tools(compiler="/usr/bin/c++", nvcc="/usr/bin/nvcc"),
    settings=None,
    models=None,
    problems=(),
)
BUILD = (
    "CMAKE_ARGS='-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON -DCMAKE_INSTALL_RPATH=$ORIGIN' "
    "pip install --force-reinstall --no-deps --no-cache-dir --no-binary pywhispercpp pywhispercpp==1.5.1"
)


def test_everything_is_looked_at() -> None:
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert (result.exit_code, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert report["ok"] is True
    assert report["problems"] == []
    engines = {one["name"]: one["options"] for one in report["engines"]}
    assert engines["openai"] == ["words", "translate", "prompt", "temperature"]
    assert engines["whisper-cpp"] == [*engines["openai"], "temperature_step", "beam_size"]
    assert {one["name"] for one in report["packages"]} == {"whispercore", "pywhispercpp", "av", "numpy"}
    assert {
        "server",
        "postgres",
        "redis",
        "s3",
        "otel",
        "cuda",
        "diarize",
        "documents",
        "encryption",
        "faster-whisper",
        "microphone",
    } == {one["name"] for one in report["extras"]}
    assert report["engine"]["library"].startswith("whisper-cpp ")
    assert report["engine"]["device"] in {"cpu", "cuda", "vulkan", "metal"}
    assert "CPU" in report["engine"]["backends"]
    assert report["ctranslate2"]["version"].startswith("4.")
    assert report["ctranslate2"]["compute_types"]
    assert report["decoder"]["codec"] == "pcm_s16le"
    assert [one["name"] for one in report["models"]] == ["micro"]
    given = {one["variable"]: one["given"] for one in report["settings"]}
    assert given["WHISPERCORE_MODELS"] is True
    assert given["WHISPERCORE_THREADS"] is False


def test_what_does_not_work_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies() -> Engine:
        raise EngineCrashed("signal 4 (SIGILL)", signal=4)

    def lacks() -> None:
        raise RuntimeError("av cannot be imported: ImportError: [nothing]")

    monkeypatch.setattr(trial, "engine", dies)
    monkeypatch.setattr(trial, "_CTRANSLATE2", "raise OSError('libcudart.so.12')")
    monkeypatch.setattr(trial, "decoder", lacks)
    monkeypatch.setenv("WHISPERCORE_THREADS", "many")
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "problem: engine: the engine's process died: signal 4 (SIGILL)." in result.stdout
    assert "problem: ctranslate2: ctranslate2 cannot be imported: OSError: libcudart.so.12" in result.stdout
    assert "problem: decoder: av cannot be imported: ImportError: [nothing]" in result.stdout
    assert "problem: settings: WHISPERCORE_THREADS: 'many' is not" in result.stdout
    assert "work." not in result.stdout
    assert "Models\n                not checked\n" in result.stdout
    assert "advice" not in result.stdout


def test_report_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "engine", lambda: evolve(ENGINE, features=("AVX2",), shared_weights=False))
    monkeypatch.setattr(machine, "tools", lambda: Tools(compiler=None, nvcc=None))
    monkeypatch.setattr("platform.system", lambda: "Linux")
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "weights       plain binding" in result.stdout
    assert re.search(r"^  faster-whisper  +\S", result.stdout, re.MULTILINE)  # the longest name stands apart, too
    assert "1.4 to 1.9 times as fast" in result.stdout
    assert f"\n  GGML_LLAMAFILE=ON GGML_NATIVE=ON {BUILD}\n" in result.stdout  # in one line, to be copied
    assert "Install this first: a C++ compiler" in result.stdout
    assert "The engine and the decoder work." in result.stdout


def test_advice() -> None:
    assert advise(REPORT) == ()
    slow = evolve(REPORT, engine=evolve(ENGINE, features=("AVX2",)))
    assert [(one.command, one.missing) for one in advise(slow)] == [(f"GGML_LLAMAFILE=ON GGML_NATIVE=ON {BUILD}", None)]
    assert advise(evolve(slow, engine=None)) == ()
    assert advise(evolve(slow, engine=evolve(ENGINE, device="cuda", features=()))) == ()
    assert advise(evolve(slow, machine=evolve(REPORT.machine, system="Windows 11 AMD64"))) == ()


def test_advice_for_metal() -> None:
    mac = evolve(
        REPORT, machine=evolve(REPORT.machine, system="Darwin 24 arm64"), tools=Tools(compiler=None, nvcc=None)
    )
    (one,) = advise(mac)
    assert one.command == f"GGML_METAL=ON {BUILD.replace('$ORIGIN', '@loader_path')}"
    assert one.missing is not None
    assert advise(evolve(mac, engine=evolve(ENGINE, device="metal"))) == ()


def test_advice_for_vulkan() -> None:
    card = evolve(REPORT, other_cards=("AMD", "Intel"))
    (one,) = advise(card)
    assert one.command == f"GGML_VULKAN=1 {BUILD}"
    assert one.missing is not None
    assert one.missing.startswith("glslc")
    assert "card of AMD" in one.reason
    (one,) = advise(evolve(card, tools=evolve(REPORT.tools, glslc="/usr/bin/glslc")))
    assert one.missing is None
    assert advise(evolve(card, engine=evolve(ENGINE, device="vulkan"))) == ()


def test_advice_for_ctranslate2() -> None:
    card = evolve(REPORT, nvidia=("NVIDIA T4",), engine=evolve(ENGINE, device="cuda"))
    assert advise(card) == ()
    (one,) = advise(evolve(card, ctranslate2=None))
    assert one.command == "pip install 'whispercore[cuda]'"
    (one,) = advise(evolve(card, ctranslate2=CTranslate2(version="4.8.5", cards=0, compute_types=("int8",))))
    assert one.command == "pip install nvidia-cublas-cu12 nvidia-cudnn-cu12"
    broken = Problem(what="ctranslate2", reason="ctranslate2 cannot be imported")
    assert advise(evolve(card, ctranslate2=None, problems=(broken,))) == ()


def test_other_cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_DRM", tmp_path)
    assert machine.other_cards() == ()
    for number, vendor in ((128, "0x1002"), (129, "0x10de"), (130, "0x8086")):
        (tmp_path / f"renderD{number}" / "device").mkdir(parents=True)
        (tmp_path / f"renderD{number}" / "device" / "vendor").write_text(f"{vendor}\n")
    assert machine.other_cards() == ("AMD", "Intel")


def test_advice_for_cuda() -> None:
    card = evolve(REPORT, nvidia=("NVIDIA T4, 15360 MiB, 550",), tools=Tools(compiler="c++", nvcc=None))
    (one,) = advise(card)
    assert one.command == f"GGML_CUDA=1 {BUILD}"
    assert one.missing is not None
    assert one.missing.startswith("nvcc")
    assert "NVIDIA T4" in one.reason


def test_cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine, "_NVIDIA", tmp_path / "gpus")
    assert machine.nvidia_cards() == ()
    (tmp_path / "gpus" / "0000:01:00.0").mkdir(parents=True)
    (tmp_path / "gpus" / "0000:01:00.0" / "information").write_text("Model: \t\t NVIDIA L4\nIRQ:   10\n")
    assert machine.nvidia_cards() == ("NVIDIA L4",)
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'NVIDIA A10, 23028 MiB, 550.1'\n")
    smi.chmod(0o755)
    assert machine.nvidia_cards() == ("NVIDIA A10, 23028 MiB, 550.1",)
    smi.write_text("#!/bin/sh\nexit 9\n")
    assert machine.nvidia_cards() == ("NVIDIA L4",)


def test_a_build_that_is_there_is_not_advised_again() -> None:
    cards = evolve(REPORT, nvidia=("NVIDIA T4",), other_cards=("AMD",))
    built = evolve(cards, engine=evolve(ENGINE, backends=("CUDA", "Vulkan", "CPU")))
    cuda, vulkan = advise(built)
    assert (cuda.command, vulkan.command) == ("nvidia-smi", "vulkaninfo --summary")
    assert "it finds no card" in cuda.reason
    assert "it finds no card" in vulkan.reason
    mac = evolve(REPORT, machine=evolve(REPORT.machine, system="Darwin 24 arm64"))
    assert advise(evolve(mac, engine=evolve(ENGINE, backends=("MTL", "BLAS", "CPU")))) == ()


def test_the_card_in_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    card = evolve(
        ENGINE,
        device="vulkan",
        card="AMD Radeon RX 7900 XTX (Vulkan0)",
        card_memory_bytes=24 << 30,
        backends=("Vulkan", "CPU"),
    )
    monkeypatch.setattr(trial, "engine", lambda: card)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "computes on   vulkan, AMD Radeon RX 7900 XTX (Vulkan0), 24.0 GiB\n" in result.stdout
    assert "built with    Vulkan, CPU\n" in result.stdout
    assert "GGML_VULKAN=1" not in result.stdout


def test_limits_of_a_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(machine, "_CGROUP_1_MEMORY", tmp_path / "none")
    assert (machine.look().cgroup_cores, machine.look().cgroup_memory_bytes) == (None, None)
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text("2147483648\n")
    assert (machine.look().cgroup_cores, machine.look().cgroup_memory_bytes) == (1.5, 2 << 30)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert (machine.look().cgroup_cores, machine.look().cgroup_memory_bytes) == (None, None)
