"""What a caller may do, as the names that endpoints declare and API keys carry."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from whispercore.errors import InvalidRequest, NotPermitted, Problem
from whispercore.people.caller import Caller

SCOPES = MappingProxyType(
    {
        "jobs:read": "see one's own jobs, their progress and their transcripts",
        "jobs:create": "send recordings and start jobs",
        "jobs:write": "cancel, retry and change one's own jobs",
        "jobs:delete": "delete one's own jobs",
        "export:download": "download transcripts as files",
        "search:read": "search one's own transcripts",
        "uploads:read": "see how far one's own uploads are",
        "uploads:write": "send files in pieces, and abandon them",
        "files:read": "see and download one's own files, and those that are shared with one",
        "files:write": "store files",
        "files:delete": "delete one's own files",
        "files:share": "share one's own files, and end that",
        "webhooks:read": "see one's own webhooks and what they were sent",
        "webhooks:write": "make, change, test and delete one's own webhooks",
        "users:read": "see one's own account",
        "users:write": "change one's own account",
        "keys:manage": "list, make and revoke one's own API keys",
        "admin": "everything, of everybody",
    }
)
"""Every scope with what it allows."""

ADMIN = "admin"
"""The scope that has all others in it."""

BUNDLES = MappingProxyType(
    {
        "read": frozenset(
            {
                "jobs:read",
                "export:download",
                "search:read",
                "uploads:read",
                "files:read",
                "webhooks:read",
                "users:read",
            },
        ),
        "write": frozenset(
            {
                "jobs:create",
                "jobs:write",
                "jobs:delete",
                "uploads:read",
                "uploads:write",
                "files:write",
                "files:delete",
                "files:share",
                "webhooks:read",
                "webhooks:write",
            }
        ),
        "admin": frozenset(SCOPES),
    }
)
"""Short names for several scopes at once."""

_ABOUT_BUNDLES = MappingProxyType(
    {
        "read": "see what one has, and download it",
        "write": "send, make, change, share and delete",
        "admin": "everything, of everybody",
    }
)

ROLES = MappingProxyType({"user": frozenset(SCOPES) - {ADMIN}, "admin": frozenset(SCOPES)})
"""What a person may do who comes with a token or a session."""

_LONGEST = 100
"""Permissions that may be named at once; there are fewer."""


def described(permission: str) -> str:
    """What a scope or a bundle allows, in words."""
    return _ABOUT_BUNDLES.get(permission) or SCOPES[permission]


def scopes_of_roles(roles: Iterable[str]) -> frozenset[str]:
    """All that these roles allow. Roles that nobody knows allow nothing."""
    return frozenset[str]().union(*(ROLES.get(role, frozenset()) for role in roles))


def scopes_of(permissions: Iterable[str]) -> frozenset[str]:
    """The scopes behind permissions, which are scopes or bundles. Unknown ones give nothing."""
    found: set[str] = set()
    for permission in permissions:
        found |= BUNDLES.get(permission, frozenset({permission}) & SCOPES.keys())
    return frozenset(found)


def grantable(caller: Caller, permissions: Iterable[str], *, field: str = "permissions") -> tuple[str, ...]:
    """The permissions as they were named, each once, if this caller may hand them out.

    Args:
        caller: Who hands them out.
        permissions: Names of scopes or bundles.
        field: What the request calls them, for the error.

    Raises:
        InvalidRequest: None is named, or one that does not exist.
        NotPermitted: The caller lacks one himself.
    """
    named = tuple(dict.fromkeys(permissions))
    if not named:
        raise InvalidRequest.one(field, f"name at least one of {', '.join((*BUNDLES, *SCOPES))}")
    if len(named) > _LONGEST:
        raise InvalidRequest.one(field, f"at most {_LONGEST} can be named")
    unknown = [(i, name) for i, name in enumerate(named) if name not in SCOPES and name not in BUNDLES]
    if unknown:
        known = ", ".join(dict.fromkeys((*BUNDLES, *SCOPES)))
        raise InvalidRequest(
            tuple(
                Problem(f"{field}[{i}]", f"{name[:100]!r} is not a permission; there are {known}")
                for i, name in unknown
            )
        )
    lacking = sorted(scope for scope in scopes_of(named) if not caller.may(scope))
    if lacking:
        raise NotPermitted(lacking[0])
    return named
