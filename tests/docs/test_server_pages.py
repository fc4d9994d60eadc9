"""Pages that start a server are read aloud to a shell: every block of them runs, in order, with the servers they start.

What a reader does with his hands is done for him here: a block that begins with ``whispercore serve`` has a terminal of
its own until the next one (Ctrl-C), the key that the server shows is pasted where the page says so, and nothing is
installed or downloaded.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from .test_docs import PAGES, ROOT, name_of, starts_a_server

BLOCK = re.compile(r"^```(sh|python|toml)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELL = r"""
set -euo pipefail
pip() { :; }
curl() { command curl --retry 0 --max-time 60 "$@"; }
python3() { [ "$1 ${2-}" = "-m venv" ] || "$PYTHON" "$@"; }
whispercore() { [ "$1 ${2-}" = "models pull" ] || "$PYTHON" -m whispercore_server.cli "$@"; }
shown_key() { grep -ho '^    [!-~]\{32,\}$' ./*.log | tr -d ' '; }
pids=()
stop() { for pid in "${pids[@]}"; do kill -TERM "$pid"; wait "$pid"; done; pids=(); }
start() {
    number=$((${number-0} + 1))
    : > "terminal$number.log"
    "$PYTHON" -m whispercore_server.cli "$@" 2>> "terminal$number.log" &
    pids+=($!)
    until grep -q 'Ctrl-C' "terminal$number.log"; do
        kill -0 "${pids[-1]}" || { cat "terminal$number.log" >&2; exit 1; }
        sleep 0.05
    done
}
trap 'kill -KILL "${pids[@]}" 2> /dev/null || true' EXIT
"""


def script(page: Path, port: int) -> str:
    parts = [SHELL]
    for number, (language, code) in enumerate(BLOCK.findall(page.read_text())):
        if language == "sh":
            text = re.sub(r"^whispercore serve (.*)$", rf"stop; start serve --port {port} \1", code, flags=re.MULTILINE)
            text = re.sub(
                r"^(whispercore worker .*)$", lambda found: f"start {found[0][12:]}", text, flags=re.MULTILINE
            )
            parts.append(text.replace("PASTE-THE-KEY-HERE", '"$(shown_key)"'))
        else:
            name = "whispercore.toml" if language == "toml" else f"block{number}.py"
            parts.append(f"cat > {name} <<'END'\n{code}END\n")
            parts += [f'"$PYTHON" {name}\n'] if language == "python" else []
    parts.append("stop\n")
    return "".join(parts).replace(":8000", f":{port}").replace("/srv/", "./srv/")


@pytest.mark.parametrize("page", [page for page in PAGES if starts_a_server(page)], ids=name_of)
def test_a_page_with_a_server_runs(page: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").touch()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = subprocess.run(
        ["bash", "-c", script(page, port)],  # noqa: S607
        cwd=tmp_path,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
