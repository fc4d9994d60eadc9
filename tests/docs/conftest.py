"""The pages that are made from the code, as mkdocs shows them."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="session")
def rendered() -> Callable[[str], str]:
    """Gives a page by its path below ``docs``. Each is made once: that takes as long as all that is read in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        hooks = importlib.import_module("hooks")

    @functools.cache
    def page(name: str) -> str:
        made: str = hooks.rendered((DOCS / name).read_text())
        return made

    return page
