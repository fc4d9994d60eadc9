"""The dashboard (seed 000, *Admin Security Endpoints*), and who has to wait before he may log in again."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Endpoint
from whispercore.contract.fields import between, length, told
from whispercore.contract.group import T_co

RiskTrend = Literal["rising", "steady", "falling"]


@frozen(kw_only=True)
class GetDashboard:
    """For which time."""

    period_hours: int = field(
        default=24, validator=between(1, 8760), metadata=told("Hours up to now that the figures without `24h` cover.")
    )


@frozen(kw_only=True)
class Dashboard:
    """How it stands with the safety of this installation; everything is counted when it is asked for."""

    active_sessions: int
    """Sessions that have not ended, whether or not somebody uses them now."""
    failed_attempts_24h: int
    rate_limit_hits_24h: int
    security_incidents: int
    """Those that are not resolved."""
    api_keys_active: int
    audit_events_24h: int
    period_hours: int
    total_events: int
    security_violations: int
    """What was refused because it looked like an attack, or like somebody who has no right to it."""
    auth_failures: int
    rate_limit_violations: int
    open_incidents: int
    """Those that were opened in the period and are not resolved."""
    banned_ips: int
    """Addresses that have to wait before they may try a password again."""
    active_monitors: int
    """Rules of incidents whose events this server can see: without rate limits, nobody can exceed them."""
    risk_trend: RiskTrend
    """Of the risk of all events, against the period before."""
    risk_score: int
    """The sum over all events of the period."""
    previous_risk_score: int
    """The sum over the period before."""


@frozen(kw_only=True)
class ListLockouts:
    """Who has to wait now."""


@frozen(kw_only=True)
class LockoutRow:
    """Somebody who has to wait before a password is looked at again."""

    username: str | None = None
    """Null when there is no such account, or when all accounts are meant."""
    network: str | None = None
    """Null when all networks are meant."""
    failures: int
    locked_until: datetime


@frozen(kw_only=True)
class LockoutList:
    """The longest first."""

    lockouts: list[LockoutRow]
    total: int


@frozen(kw_only=True)
class Unlock:
    """For whom; both together for an account from one network only."""

    username: str | None = field(default=None, validator=length(1, 150), metadata=told("Name of the account."))
    address: str | None = field(default=None, validator=length(1, 100), metadata=told("An address of the network."))


@frozen(kw_only=True)
class Unlocked:
    """It may be tried again at once."""

    message: str
    lifted: int
    """How many locks and counts of failures there were."""


class Security(TranscriberGroup[T_co], Generic[T_co]):
    """The safety of the installation."""

    tag = "security"
    dashboard = Endpoint(
        "GET",
        "/admin/security/dashboard",
        GetDashboard,
        Dashboard,
        scope="admin",
        limit="admin",
        doc="How it stands with the safety of this installation.",
    )
    lockouts = Endpoint(
        "GET",
        "/admin/security/lockouts",
        ListLockouts,
        LockoutList,
        scope="admin",
        limit="admin",
        doc="Who has to wait before he may log in, because of failures.",
    )
    unlock = Endpoint(
        "POST",
        "/admin/security/lockouts/unlock",
        Unlock,
        Unlocked,
        scope="admin",
        limit="admin",
        doc="Let an account, a network, or both together try again at once.",
    )
