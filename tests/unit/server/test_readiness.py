"""What a server has ready before anybody asks for it."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.live import live, settings_for
from tests.processes import descendants
from tests.waiting import until


@pytest.mark.parametrize("ready", [True, False])
def test_a_decoder_waits_while_the_server_runs(tmp_path: Path, *, ready: bool) -> None:
    before = set(descendants("audio.child"))
    with live(settings_for(tmp_path, decoder_ready=ready), worker=False) as server:
        if ready:
            server.run(until(lambda: set(descendants("audio.child")) > before))
        waiting = set(descendants("audio.child")) - before
        assert len(waiting) == ready
    _, alive = psutil.wait_procs(waiting, timeout=60)
    assert not alive
