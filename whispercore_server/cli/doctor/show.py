"""The doctor's report, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import attrs
from rich.console import Console
from rich.text import Text

from whispercore_server.cli.doctor.advice import Advice
from whispercore_server.cli.doctor.findings import DeclaredEngine, Engine, Extra, Report
from whispercore_server.cli.terminal import printable

Row = tuple[str, str]
_UNKNOWN = "not checked"
_SHOWN = 2
_LEAST_WIDTH = 12
"""Of the names of a section, so that values of most of them stand below each other."""


def as_json(report: Report, advice: Sequence[Advice]) -> str:
    """All findings; null is what was not checked or cannot be known."""
    document = {
        "ok": not report.problems,
        **attrs.asdict(report),
        "extras": [
            {**attrs.asdict(one), "installed": not one.missing, "command": one.command} for one in report.extras
        ],
        "advice": [attrs.asdict(one) for one in advice],
    }
    return json.dumps(document, indent=2)


def show(console: Console, report: Report, advice: Sequence[Advice]) -> None:
    """Print everything, problems and advice at the end."""
    for title, rows in _sections(report):
        console.print(Text(title, style="bold"))
        width = max(_LEAST_WIDTH, *(len(name) for name, _ in rows))
        for name, value in rows:
            console.print(Text(f"  {name:<{width}}  {printable(value)}"), soft_wrap=True)
        console.print()
    for one in advice:
        console.print(Text.assemble(("advice: ", "bold yellow"), one.reason), soft_wrap=True)
        if one.missing is not None:
            console.print(Text(f"Install this first: {one.missing}."), soft_wrap=True)
        console.print(Text(f"\n  {one.command}\n"), soft_wrap=True)
    for problem in report.problems:
        line = Text.assemble(("problem: ", "bold red"), f"{problem.what}: {printable(problem.reason)}")
        console.print(line, soft_wrap=True)
    if report.engine is not None and report.decoder is not None:
        console.print(Text("The engine and the decoder work.", style="green"))


def _sections(report: Report) -> Iterator[tuple[str, list[Row]]]:
    yield "Packages", [(one.name, one.version or "missing") for one in report.packages]
    yield "Optional parts", [(one.name, _extra(one)) for one in report.extras]
    yield "Machine", _machine(report)
    yield "Engine", _engine(report.engine)
    yield "Options that engines follow", [(one.name, _options(one)) for one in report.engines]
    yield "CTranslate2", _ctranslate2(report)
    yield "Decoder", _decoder(report)
    yield "Models", _models(report)
    yield "Settings", _settings(report)


def _extra(extra: Extra) -> str:
    if not extra.missing:
        return "installed"
    few, more = extra.missing[:_SHOWN], len(extra.missing) - _SHOWN
    names = ", ".join(few) + (f" and {more} more" if more > 0 else "")
    return f"{extra.command} (now without {names})"


def _machine(report: Report) -> list[Row]:
    it = report.machine
    limit = "no limit found" if it.cgroup_cores is None else f"{it.cgroup_cores:g} cores"
    memory_limit = "no limit found" if it.cgroup_memory_bytes is None else _size(it.cgroup_memory_bytes)
    match report.nvidia:
        case None:
            nvidia = f"{_UNKNOWN}: the engine computes on a card already"
        case ():
            nvidia = "none found"
        case cards:
            nvidia = "; ".join(cards)
    return [
        ("system", it.system),
        ("python", it.python),
        ("processor", it.processor),
        ("cores", f"{it.cores} of {it.host_cores or 'unknown'}"),
        ("memory", _size(it.memory_bytes) if it.memory_bytes is not None else "unknown"),
        ("container", f"processor: {limit}, memory: {memory_limit}"),
        ("NVIDIA cards", nvidia),
        ("other cards", ", ".join(report.other_cards) or "none found"),
        ("C++ compiler", report.tools.compiler or "none found"),
        ("nvcc", report.tools.nvcc or "none found"),
        ("glslc", report.tools.glslc or "none found"),
    ]


def _engine(engine: Engine | None) -> list[Row]:
    if engine is None:
        return [("", "does not work: see below")]
    shared = f"shared by {engine.slots} windows at once"
    plain = "plain binding: this libwhisper's structures are not known, so it takes one window at a time"
    return [
        ("library", engine.library),
        ("weights", shared if engine.shared_weights else plain),
        ("computes on", _device(engine)),
        ("built with", ", ".join(engine.backends) or _UNKNOWN),
        ("features", ", ".join(engine.features)),
        ("trial", f"loaded in {engine.load_s:.2f} s, 1 s of silence decoded in {engine.decode_s:.2f} s (model micro)"),
    ]


def _options(engine: DeclaredEngine) -> str:
    return "told only with a model" if engine.options is None else ", ".join(engine.options) or "none"


def _device(engine: Engine) -> str:
    memory = _size(engine.card_memory_bytes) if engine.card_memory_bytes is not None else None
    return ", ".join(filter(None, (engine.device, engine.card, memory)))


def _ctranslate2(report: Report) -> list[Row]:
    it = report.ctranslate2
    if it is None:
        broken = any(problem.what == "ctranslate2" for problem in report.problems)
        return [("", "does not work: see below" if broken else "not installed")]
    return [
        ("version", it.version),
        ("computes on", f"cuda, {it.cards} cards" if it.cards else "cpu"),
        ("types", ", ".join(it.compute_types)),
    ]


def _decoder(report: Report) -> list[Row]:
    if report.decoder is None:
        return [("", "does not work: see below")]
    return [
        ("FFmpeg", report.decoder.ffmpeg),
        ("libraries", ", ".join(report.decoder.libraries)),
        ("trial", f"a WAV file ({report.decoder.codec}) was read; other formats: {_UNKNOWN}"),
    ]


def _models(report: Report) -> list[Row]:
    if report.models is None:
        return [("", _UNKNOWN)]
    return [
        *((one.name, f"{one.size_bytes / 1e6:,.0f} MB, {one.state}") for one in report.models),
        ("checksums", f"{_UNKNOWN}: whispercore models verify NAME reads a model from end to end"),
    ]


def _settings(report: Report) -> list[Row]:
    if report.settings is None:
        return [("", "cannot be read: see below")]
    return [(one.variable, f"{one.value}{' (from the environment)' if one.given else ''}") for one in report.settings]


def _size(n_bytes: int) -> str:
    return f"{n_bytes / (1 << 30):,.1f} GiB"
