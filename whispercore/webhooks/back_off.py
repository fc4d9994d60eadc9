"""When a message that was not taken is sent again."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import tenacity

_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0
_WAITS_S: Final = (
    *(5.0, 30.0, 2 * _MINUTE_S, 10 * _MINUTE_S),
    *(_HOUR_S, 3 * _HOUR_S, 6 * _HOUR_S, *(12 * _HOUR_S,) * 5),
)
_JITTER: Final = 0.1
"""Up to so much longer, so that those who failed together do not come back together."""
_AGAIN: Final = tenacity.Retrying(
    wait=tenacity.wait_chain(
        *(tenacity.wait_fixed(wait_s) + tenacity.wait_random(0, _JITTER * wait_s) for wait_s in _WAITS_S)
    ),
    stop=tenacity.stop_after_attempt(len(_WAITS_S) + 1),
)
MOST_TRIES: Final = len(_WAITS_S) + 1
"""Of one message, in about three days."""


def wait_after(tries: int) -> timedelta | None:
    """How long to wait after so many failures of a message; None: it is given up.

    Args:
        tries: From 1.
    """
    state = tenacity.RetryCallState(_AGAIN, None, (), {})
    state.attempt_number = tries
    return None if _AGAIN.stop(state) else timedelta(seconds=_AGAIN.wait(state))
