"""The figures as a picture: SVG, which browsers and documents show as it is."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree as ET

from whispercore_server.cli.bench.measuring import Figures, Measured
from whispercore_server.cli.terminal import printable

_WIDTH: Final = 900
_BAR_FROM: Final = 260
_BAR_WIDTH: Final = 260
_ROW: Final = 34
_TOP: Final = 78


def svg(measured: Measured) -> str:
    """A bar for each model: the shorter, the faster.

    Args:
        measured: What is shown.
    """
    rows = measured.figures
    height = _TOP + _ROW * (len(rows) + 1)
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {_WIDTH} {height}",
            "font-family": "sans-serif",
            "font-size": "14",
        },
    )
    _ = ET.SubElement(root, "rect", {"width": str(_WIDTH), "height": str(height), "fill": "white"})
    machine = measured.machine
    _text(root, 20, 28, f"Seconds of work for a second of {measured.recording}", weight="bold")
    _text(root, 20, 50, f"whispercore {measured.whispercore}, {machine.processor}, {machine.cores} cores", fill="#555")
    longest = max((one.real_time_factor for one in rows), default=0.0) or 1.0
    for at, one in enumerate(rows):
        y = _TOP + _ROW * at
        width = max(1.0, _BAR_WIDTH * one.real_time_factor / longest)
        _text(root, 20, y + 15, one.model)
        bar = {"x": str(_BAR_FROM), "y": str(y), "width": f"{width:.1f}", "height": "20", "fill": "#2f6fbd"}
        _ = ET.SubElement(root, "rect", bar)
        _text(root, _BAR_FROM + round(width) + 8, y + 15, told(one))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def told(one: Figures) -> str:
    """The figures of a model in a line; what was not measured is said not to be."""
    first = "no segment" if one.first_segment_s is None else f"first segment {one.first_segment_s:.2f} s"
    memory = "memory not measured" if one.memory_bytes is None else f"{one.memory_bytes / 1e6:,.0f} MB"
    return f"{one.real_time_factor:.3f}, {first}, {memory}"


def _text(root: ET.Element, x: int, y: int, text: str, *, fill: str = "black", weight: str = "normal") -> None:
    place = {"x": str(x), "y": str(y), "fill": fill, "font-weight": weight}
    ET.SubElement(root, "text", place).text = printable(text)
