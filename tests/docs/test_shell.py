"""Pages are read aloud to a shell: their commands run, in order, with the servers that they start.

What a reader does with his hands is done for him here: a block that begins with ``whispercore serve`` has a terminal of
its own until the next one (Ctrl-C), the key that the server shows is given where the page says so, and the recordings
that are named lie there. Nothing is installed or downloaded: pip looks at its options only, `small` is here already,
with the words of `micro`, and what is added by hand is added on a machine that lacks it.
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

from whispercore.models.catalogue import MICRO_PATH
from whispercore.models.store import ModelStore
from whispercore.settings import Settings

from .test_docs import PAGES, README, ROOT, blocks, name_of, put_recordings, starts_a_server

BLOCK = re.compile(r"^```(sh|python|toml)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELL = r"""
set -euo pipefail
pip() { "$PYTHON" -m pip "$@" --help > /dev/null; }
curl() { command curl --retry 5 --max-time 60 "$@"; }
python3() { [ "$1 ${2-}" = "-m venv" ] || "$PYTHON" "$@"; }
whispercore() {
    [ "$1 ${2-}" != "models add" ] || export WHISPERCORE_MODELS=$PWD/another-machine
    "$PYTHON" -m whispercore_server.cli "$@"
}
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
    """All blocks of a page with a server. Of others the commands: their Python is one program, in ``test_docs``."""
    parts = [SHELL]
    found = BLOCK.findall(page.read_text())
    if page == README:
        found = found[2:]  # they make an environment, and run all tests: .ci/run does that
    for number, (language, code) in enumerate(found):
        if language == "sh":
            text = re.sub(r"^whispercore serve (.*)$", rf"stop; start serve --port {port} \1", code, flags=re.MULTILINE)
            text = re.sub(
                r"^(whispercore worker .*)$", lambda found: f"start {found[0][12:]}", text, flags=re.MULTILINE
            )
            text = re.sub(r"^(.*# with that key in )(\w+)$", r'\2="$(shown_key)" \1\2', text, flags=re.MULTILINE)
            parts.append(text.replace("PASTE-THE-KEY-HERE", '"$(shown_key)"'))
        elif starts_a_server(page):
            name = "whispercore.toml" if language == "toml" else f"block{number}.py"
            parts.append(f"cat > {name} <<'END'\n{code}END\n")
            parts += [f'"$PYTHON" {name}\n'] if language == "python" else []
    parts.append("stop\n")
    return "".join(parts).replace(":8000", f":{port}").replace("/srv/", "./srv/")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    ModelStore(Settings(models_dir=folder)).add("small", MICRO_PATH)
    return folder


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "sh")], ids=name_of)
def test_the_commands_of_a_page_run(page: Path, models: Path, tmp_path: Path) -> None:
    commands = "\n".join(blocks(page, "sh"))
    if "curl " in commands and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    put_recordings(commands, tmp_path)
    for name in set(re.findall(r"\./([\w-]+\.bin)", commands)):
        (tmp_path / name).symlink_to(MICRO_PATH)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").touch()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = subprocess.run(
        ["bash", "-c", script(page, port)],  # noqa: S607
        cwd=tmp_path,
        env={**os.environ, "PYTHON": sys.executable, "WHISPERCORE_MODELS": str(models)},
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
