"""What knowing a caller costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("sqlalchemy", "obstore", "argon2", "joserfc", "cryptography")


@pytest.mark.parametrize(
    "module", ["whispercore", "whispercore_client", "whispercore.people.caller", "whispercore.people.scopes"]
)
def test_what_a_script_imports_is_light(module: str) -> None:
    script = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
