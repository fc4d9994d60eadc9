"""``whispercore serve`` that keeps no room in reserve, so that it really meets the end of its disk."""

from __future__ import annotations

from whispercore.files.files import Files
from whispercore_server.cli import main

if __name__ == "__main__":
    (Files.__init__.__kwdefaults__ or {})["reserve_bytes"] = 0
    main()
