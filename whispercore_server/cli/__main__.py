"""``python -m whispercore_server.cli``: for a Python whose scripts are not on the path."""

from whispercore_server.cli import main

main()
