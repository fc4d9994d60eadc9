# ruff: noqa: INP001 (``hooks`` loads it from beside itself)
"""What the explanations say of the audit trail: its types of events, the rules of incidents, the waits of logins."""

from __future__ import annotations

from collections.abc import Iterator

from whispercore.audit.event import EVENT_TYPES
from whispercore.incidents.rules import RULES
from whispercore.people.back_off import ACCOUNT, FROM_NETWORK, NETWORK

_SUBJECTS = {
    "username": "account",
    "address": "address",
    "resource_id": "key",
    "everything": "installation",
}


def event_types() -> Iterator[str]:
    """Every type of event."""
    yield ", ".join(f"`{name}`" for name in EVENT_TYPES) + "."


def rules() -> Iterator[str]:
    """Every rule that opens incidents."""
    yield from ("| rule | opened by | for each | severity |", "| --- | --- | --- | --- |")
    for rule in RULES:
        kinds = ", ".join(f"`{kind}`" for kind in rule.event_types)
        when = f"{rule.threshold} {kinds} in {rule.within_s // 60} minutes" if rule.threshold > 1 else f"one {kinds}"
        yield f"| `{rule.name}` | {when} | {_SUBJECTS[rule.subject]} | {rule.severity} |"


def waits() -> Iterator[str]:
    """How long one waits after failed logins."""
    yield from ("| what waits | after | first | at most |", "| --- | --: | --: | --: |")
    for what, policy in (
        ("an account, from one network", FROM_NETWORK),
        ("an account, from networks where nobody has logged in to it before", ACCOUNT),
        ("all accounts that were not logged in to from this network before", NETWORK),
    ):
        yield f"| {what} | {policy.free} failures | {policy.first_s} s | {policy.longest_s} s |"
