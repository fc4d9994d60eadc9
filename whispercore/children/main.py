"""The child's side: where a process of ours begins.

The parent starts ``BOOTSTRAP`` with its own ``sys.path``, so that the same packages are found in notebooks, zip
applications and editable installations, and no ``__main__`` guard is needed.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import traceback

from whispercore.children.frames import Channel, Codec, Serve

BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from whispercore.children.main import main; main(sys.argv[2])"
)


def service(name: str) -> tuple[Codec, Serve]:
    """The codec and the work of a child module, by its dotted name."""
    module = importlib.import_module(name)
    return module.CODEC, module.serve


def main(name: str) -> None:
    """Serve until the parent closes its end or dies; then leave at once, whatever C is doing."""
    _be_the_first_to_go()
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    # C libraries print. What they print belongs on stderr, never between the frames.
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    codec, serve = service(name)
    code = 0
    try:
        serve(Channel(incoming, outgoing, codec, isolated=True))
    except BrokenPipeError:
        pass  # the parent is gone, and nobody is left to tell
    except BaseException:  # noqa: BLE001 (told on stderr, which the parent keeps)
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)


def _be_the_first_to_go() -> None:
    """Ask the kernel to take this process, and not the server, when memory runs out."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 (this starts often)
        file.write("800")
