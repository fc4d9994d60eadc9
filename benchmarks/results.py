"""What was measured, as data, as JSON and as a Markdown table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import median

from attrs import asdict, field, frozen

from benchmarks.machine import Machine


class NotMeasured(Exception):
    """It cannot be measured here; the message says why."""


@frozen(kw_only=True)
class Figure:
    """One number, and what it should be at most."""

    what: str
    value: float
    unit: str = ""
    digits: int = 2
    """Digits after the point that are worth showing."""
    bar: float | None = None
    """The most that is promised."""
    aim: float | None = None
    """What we would like."""

    @property
    def met(self) -> bool | None:
        """Whether the promise is kept, by the number as it is shown; None when there is none."""
        return None if self.bar is None else round(self.value, self.digits) <= self.bar


@frozen(kw_only=True)
class Result:
    """What one benchmark found."""

    name: str
    title: str
    how: str
    """What exactly was done."""
    figures: tuple[Figure, ...] = ()
    samples: Mapping[str, Sequence[float]] = field(factory=dict)
    """Every single measurement behind the figures."""
    notes: tuple[str, ...] = ()
    took_s: float = 0.0
    others_cores: float | None = None
    """Cores that other processes of the machine kept busy, as seen shortly before and after."""


def ratio(
    name: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    bar: float | None = None,
    aim: float | None = None,
    digits: int = 2,
) -> Figure:
    """The ratio of two medians."""
    return Figure(what=name, value=median(ours) / median(theirs), unit="x", digits=digits, bar=bar, aim=aim)


def spread(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The ratios of the single rounds, in words."""
    rounds = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    return f"the ratio of the single rounds lies between {rounds[0]:.2f} and {rounds[-1]:.2f}"


def as_json(machine: Machine, results: Sequence[Result], *, quick: bool) -> str:
    """Everything, for programs."""
    plain = [
        {**asdict(result), "figures": [{**asdict(figure), "met": figure.met} for figure in result.figures]}
        for result in results
    ]
    return json.dumps({"machine": asdict(machine), "quick": quick, "results": plain}, indent=2) + "\n"


def as_markdown(machine: Machine, results: Sequence[Result], *, quick: bool) -> str:
    """One table, and what was done for each row of it."""
    lines = [
        machine.in_words,
        "",
        *((_QUICK, "") if quick else ()),
        "| benchmark | figure | measured | bar | met |",
        "| --- | --- | ---: | ---: | --- |",
    ]
    for result in results:
        title = result.title
        for figure in result.figures:
            lines.append(f"| {title} | {figure.what} | {_value(figure)} | {_bar(figure)} | {_met(figure)} |")
            title = ""
        if not result.figures:
            lines.append(f"| {title} | not measured | | | |")
    for result in results:
        others = f"; others used {result.others_cores:.1f} cores" if result.others_cores is not None else ""
        lines += ["", f"**{result.title}** ({result.took_s:.0f} s{others}). {result.how}"]
        lines += ["", *(f"- {note}" for note in result.notes)] if result.notes else []
    return "\n".join(lines) + "\n"


_QUICK = "**A quick run: it shows that the benchmarks work. Its figures say nothing about speed.**"


def _value(figure: Figure) -> str:
    unit = figure.unit if figure.unit in ("", "x") else f" {figure.unit}"
    return f"{figure.value:,.{figure.digits}f}{unit}"


def _bar(figure: Figure) -> str:
    if figure.bar is None:
        return ""
    return f"≤ {figure.bar:g}" + (f" (aim {figure.aim:g})" if figure.aim is not None else "")


def _met(figure: Figure) -> str:
    if figure.met is None:
        return ""
    if figure.met and figure.aim is not None and round(figure.value, figure.digits) > figure.aim:
        return "bar yes, aim missed"
    return "yes" if figure.met else "**missed**"
