"""Which cards of NVIDIA there are, as an engine's own library sees them.

It is asked in a child: CUDA takes memory on a card that it is asked of, and a process that has begun it cannot fork.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

AUTO: Final = "auto"
"""In place of the names of cards: all that there are."""
LIMIT_S: Final = 60.0
"""How long the library may take to look."""
_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
_DRIVERS: Final = ("/dev/nvidiactl", "/proc/driver/nvidia", "/dev/dxg")
"""Of Linux, in a container and in Windows' subsystem for it; without any of them there is no need to ask."""
_log = logging.getLogger(__name__)


def has_driver() -> bool:
    """Whether this machine may have a card of NVIDIA at all; cheap to ask."""
    if sys.platform == "linux":
        return any(Path(path).exists() for path in _DRIVERS)
    return sys.platform == "win32"


@cache
def cards(program: str) -> tuple[str, ...]:
    """The cards that a library can compute on, as ``devices.visible`` takes them. Blocks; looked for once in a process.

    Args:
        program: In Python; prints how many there are.
    """
    if not has_driver():
        return ()
    try:
        asked = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT_S, check=True
        )
        count = int(asked.stdout.split()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        _log.warning("cards cannot be counted, so the engine chooses one by itself: %s", error)
        return ()
    return named(count, os.environ.get(_VISIBLE))


def named(count: int, visible: str | None) -> tuple[str, ...]:
    """Names of the first cards.

    Args:
        count: How many there are.
        visible: Those that this process may see, as ``CUDA_VISIBLE_DEVICES`` names them; None for all.
    """
    names = [str(number) for number in range(count)] if visible is None else visible.split(",")
    return tuple(name.strip() for name in names[:count])


def chosen(devices: tuple[str, ...], program: str) -> tuple[str, ...]:
    """The cards that each get a child; empty where one child is enough, and the engine chooses what it computes on.

    Args:
        devices: Of the settings.
        program: As for ``cards``.
    """
    if devices != (AUTO,):
        return devices
    found = cards(program)
    return found if len(found) > 1 else ()
