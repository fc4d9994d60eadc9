"""``whispercore serve`` whose engine writes down each window that it decodes, in a file that outlives it."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.crash.worker_process import Counted
from whispercore_server import app
from whispercore_server.cli import main
from whispercore_server.plugin import Plugin
from whispercore_server.plugins.transcriber import PLUGIN

if __name__ == "__main__":
    Counted.log = Path(sys.argv.pop(1))
    counting = Plugin(name="counting", engines={"whisper-cpp": Counted})
    vars(app)["discovered"] = lambda _without: [PLUGIN, counting]
    main()
