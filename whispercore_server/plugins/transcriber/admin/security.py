"""Answers of ``api.transcriber.admin.security``."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Final

from attrs import define

from whispercore.api.transcriber.admin.security import (
    Dashboard,
    GetDashboard,
    ListLockouts,
    LockoutList,
    LockoutRow,
    RiskTrend,
    Security,
    Unlock,
    Unlocked,
)
from whispercore.errors import InvalidRequest, RequestError
from whispercore.incidents.dashboard import figures
from whispercore.incidents.rules import RULES
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports

_NOTABLE: Final = 0.1
"""A change of the risk by less than this share is none."""


@define
class SecurityHandlers:
    """Shows the dashboard and lifts locks."""

    ports: Ports

    @serves(Security.dashboard)
    async def dashboard(self, request: GetDashboard, caller: Caller) -> Dashboard:
        """Everything is counted now."""
        del caller
        with suppress(RequestError):  # what is written already can be counted all the same
            await self.ports.audit.flush()
        found = await figures(self.ports.database, timedelta(hours=request.period_hours))
        return Dashboard(
            active_sessions=found.active_sessions,
            failed_attempts_24h=found.failed_attempts_24h,
            rate_limit_hits_24h=found.rate_limit_hits_24h,
            security_incidents=found.unresolved_incidents,
            api_keys_active=found.api_keys_active,
            audit_events_24h=found.audit_events_24h,
            period_hours=request.period_hours,
            total_events=found.total_events,
            security_violations=found.security_violations,
            auth_failures=found.auth_failures,
            rate_limit_violations=found.rate_limit_violations,
            open_incidents=found.open_incidents,
            banned_ips=found.banned_addresses,
            active_monitors=self._monitors(),
            risk_trend=_trend(found.risk_score, found.previous_risk_score),
            risk_score=found.risk_score,
            previous_risk_score=found.previous_risk_score,
        )

    @serves(Security.lockouts)
    async def lockouts(self, request: ListLockouts, caller: Caller) -> LockoutList:
        """Those of now."""
        del request, caller
        rows = [
            LockoutRow(username=one.username, network=one.network, failures=one.failures, locked_until=one.locked_until)
            for one in await self.ports.lockout.locks()
        ]
        return LockoutList(lockouts=rows, total=len(rows))

    @serves(Security.unlock)
    async def unlock(self, request: Unlock, caller: Caller) -> Unlocked:
        """Nobody at all is no answer to for whom."""
        if request.username is None and request.address is None:
            raise InvalidRequest.one("username", "a user name or an address is needed")
        lifted = await self.ports.lockout.unlock(caller, username=request.username, address=request.address)
        return Unlocked(message="Unlocked", lifted=lifted)

    def _monitors(self) -> int:
        settings = self.ports.settings
        blind = set()
        if settings.rate_profile == "none":
            blind.add("rate_limit_violation")
        if settings.screening == "off":
            blind.add("suspicious_input")
        return sum(not blind.issuperset(rule.event_types) for rule in RULES)


def _trend(now: int, before: int) -> RiskTrend:
    if abs(now - before) <= _NOTABLE * max(now, before):
        return "steady"
    return "rising" if now > before else "falling"
