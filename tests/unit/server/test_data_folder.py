from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from whispercore.errors import InvalidOption
from whispercore_server.data_folder import held
from whispercore_server.errors import CannotStart

HOLD = """
import sys, pathlib, whispercore_server.data_folder as folder
with folder.held(pathlib.Path(sys.argv[1])):
    print(flush=True)
    input()
"""


def test_it_is_made_for_this_user_alone(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    with held(data):
        assert data.stat().st_mode & 0o777 == 0o700
        assert (data / "server.lock").stat().st_mode & 0o777 == 0o600
    with held(data):
        pass


def test_one_at_a_time_until_the_process_dies(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "\n"
        with pytest.raises(CannotStart) as caught, held(tmp_path):
            pass
        assert str(caught.value) == f"another server (process {other.pid}) uses the folder {tmp_path}"
        other.kill()
        other.wait()
        with held(tmp_path):
            pass


def test_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidOption, match="file is not a folder"), held(tmp_path / "file"):
        pass
    with pytest.raises(InvalidOption, match="cannot be made: Not a directory"), held(tmp_path / "file" / "data"):
        pass
    (tmp_path / "server.lock").mkdir()
    with pytest.raises(InvalidOption, match=r"server\.lock cannot be written: Is a directory"), held(tmp_path):
        pass


def test_a_folder_that_may_not_be_written_to() -> None:
    with pytest.raises(InvalidOption, match=r"^--data: .*/proc"), held(Path("/proc/self")):
        pass
