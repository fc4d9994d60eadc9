"""What ``import whispercore`` costs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from statistics import median

from benchmarks.place import ROOT, Place
from benchmarks.results import Figure, Result

_HEAVY = ("av", "numpy", "pywhispercpp", "_pywhispercpp", "aiohttp")
_FUNCTION = "from whispercore import transcribe"


def run(place: Place) -> Result:
    """A fresh interpreter each time, with and without."""
    statements = ("pass", "import whispercore", _FUNCTION)
    seconds: dict[str, list[float]] = {statement: [] for statement in statements}
    for statement in statements:
        _run(statement)  # writes the bytecode
    for _ in range(place.pick(10, 2)):
        for statement in statements:
            began = time.perf_counter()
            _run(statement)
            seconds[statement].append(time.perf_counter() - began)
    nothing = median(seconds["pass"])
    costs_s = {statement: max(0.0, median(seconds[statement]) - nothing) for statement in statements[1:]}
    heavy = {statement: _heavy(statement) for statement in statements[1:]}
    return Result(
        name="import",
        title="Import",
        how=(
            f"`python -c 'import whispercore'` less `python -c pass`, bytecode present, medians of "
            f"{len(seconds['pass'])}. Heavy modules are {', '.join(_HEAVY)}."
        ),
        figures=(
            *(Figure(what=what, value=value, unit="s", digits=3, bar=0.3) for what, value in costs_s.items()),
            Figure(what="heavy modules loaded by either", value=len(set().union(*heavy.values())), digits=0, bar=0),
            Figure(what="python itself", value=nothing, unit="s", digits=3),
        ),
        samples={f"{statement}_s": values for statement, values in seconds.items()},
        notes=tuple(f"`{statement}` loads {', '.join(names)}." for statement, names in heavy.items() if names),
    )


def _run(statement: str) -> str:
    done = subprocess.run([sys.executable, "-c", statement], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def _heavy(statement: str) -> list[str]:
    loaded: list[str] = json.loads(_run(f"{statement}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"))
    return [name for name in _HEAVY if name in loaded]
