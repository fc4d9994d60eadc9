"""``whispercore`` with all that it and its libraries can log. Run as ``python -m tests.talkative_server serve``."""

from __future__ import annotations

import logging
import sys

from whispercore_server.cli import main

if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    logging.getLogger("sqlalchemy").setLevel(logging.DEBUG)
    main()
