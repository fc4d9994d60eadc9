"""Accounts, for administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Endpoint, Listing
from whispercore.contract.fields import between, length, told
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, NotFound

Role = Literal["user", "admin"]


@frozen(kw_only=True)
class ListUsers:
    """Which accounts to list, newest first."""

    limit: int = field(default=50, validator=between(1, 100), metadata=told("Rows on a page."))
    offset: int = field(default=0, validator=between(0, 10**9), metadata=told("Rows to leave out."))
    search: str = field(
        default="", validator=length(0, 254), metadata=told("Only those with this in their name or address.")
    )
    role: Role | None = field(default=None, metadata=told("Only those who are this."))
    is_active: bool | None = field(default=None, metadata=told("Only those that are open, or closed."))


@frozen(kw_only=True)
class UserRow:
    """An account."""

    id: str
    username: str
    email: str | None = None
    role: Role
    roles: list[str]
    is_active: bool
    created_at: datetime
    last_login_at: datetime | None = None


@frozen(kw_only=True)
class UserList:
    """A page of accounts."""

    users: list[UserRow]
    total: int
    limit: int
    offset: int


@frozen(kw_only=True)
class UserRef:
    """One account."""

    user_id: str = field(kw_only=False, metadata=told("Id of the user."))


@frozen(kw_only=True)
class SetRole:
    """What somebody will be."""

    user_id: str = field(kw_only=False, metadata=told("Id of the user."))
    role: Role = field(metadata=told("`admin` may do all, `user` what concerns himself."))


def _users(page: UserList) -> list[UserRow]:
    return page.users


class Users(TranscriberGroup[T_co], Generic[T_co]):
    """Accounts, for administrators."""

    tag = "users"
    list = Listing(
        "GET", "/admin/users", ListUsers, UserList, _users, scope="admin", limit="admin", doc="List all accounts."
    )
    get = Endpoint(
        "GET",
        "/admin/users/{user_id}",
        UserRef,
        UserRow,
        scope="admin",
        limit="admin",
        errors=(NotFound,),
        doc="An account.",
    )
    activate = Endpoint(
        "POST",
        "/admin/users/{user_id}/activate",
        UserRef,
        UserRow,
        scope="admin",
        limit="admin",
        errors=(NotFound,),
        doc="Open an account again.",
    )
    deactivate = Endpoint(
        "POST",
        "/admin/users/{user_id}/deactivate",
        UserRef,
        UserRow,
        scope="admin",
        limit="admin",
        errors=(NotFound, Conflict),
        doc="Close an account: its sessions end, and its keys let nobody in. The last administrator's stays open.",
    )
    set_role = Endpoint(
        "PUT",
        "/admin/users/{user_id}/role",
        SetRole,
        UserRow,
        scope="admin",
        limit="admin",
        errors=(NotFound, Conflict),
        doc="Make somebody an administrator, or one no more. The last one stays what he is.",
    )
