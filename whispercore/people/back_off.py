"""How long one waits after failed logins: all figures."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from attrs import frozen


@frozen(kw_only=True)
class BackOff:
    """How long one waits after so many failures."""

    free: int
    """Failures without a wait."""
    first_s: int
    """The first wait; each further failure doubles it."""
    longest_s: int

    def wait_s(self, failures: int) -> int:
        """Seconds after the last of so many failures."""
        beyond = failures - self.free
        return 0 if beyond < 0 else min(self.longest_s, self.first_s << min(beyond, 20))


FROM_NETWORK: Final = BackOff(free=5, first_s=30, longest_s=900)
"""For an account from one network."""
ACCOUNT: Final = BackOff(free=20, first_s=5, longest_s=30)
"""For an account from networks where nobody logged in to it before."""
NETWORK: Final = BackOff(free=20, first_s=60, longest_s=900)
"""For a network and all accounts that were not logged in to from there before."""
FORGOTTEN_AFTER: Final = timedelta(minutes=30)
"""Failures count no more when no other came for so long: twice the longest wait, else waiting would wipe them out."""
KNOWN_FOR: Final = timedelta(days=90)
"""How long an account remembers the networks that it was logged in to from."""
