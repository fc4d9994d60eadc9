"""Answers of ``api.transcriber.admin.users``."""

from __future__ import annotations

from attrs import define

from whispercore.api.transcriber.admin.users import ListUsers, SetRole, UserList, UserRef, UserRow, Users
from whispercore.database.page import Slice
from whispercore.people.caller import Caller
from whispercore.people.roster import UserFilter
from whispercore.people.users import User
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports


@define
class UsersHandlers:
    """Shows and changes accounts."""

    ports: Ports

    @serves(Users.list)
    async def list(self, request: ListUsers, caller: Caller) -> UserList:
        """The newest first."""
        wanted = UserFilter(search=request.search, role=request.role, is_active=request.is_active)
        page = await self.ports.roster.listed(caller, wanted, Slice(request.offset, request.limit))
        return UserList(
            users=[_row(user) for user in page.rows], total=page.total, limit=request.limit, offset=request.offset
        )

    @serves(Users.get)
    async def get(self, request: UserRef, caller: Caller) -> UserRow:
        """One of them."""
        return _row(await self.ports.roster.get(caller, request.user_id))

    @serves(Users.activate)
    async def activate(self, request: UserRef, caller: Caller) -> UserRow:
        """Twice is as good as once."""
        return _row(await self.ports.roster.set_active(caller, request.user_id, active=True))

    @serves(Users.deactivate)
    async def deactivate(self, request: UserRef, caller: Caller) -> UserRow:
        """Twice is as good as once."""
        return _row(await self.ports.roster.set_active(caller, request.user_id, active=False))

    @serves(Users.set_role)
    async def set_role(self, request: SetRole, caller: Caller) -> UserRow:
        """It counts from the next request on."""
        return _row(await self.ports.roster.set_role(caller, request.user_id, request.role))


def _row(user: User) -> UserRow:
    return UserRow(
        id=user.id,
        username=user.username,
        email=user.email,
        role="admin" if user.is_admin else "user",
        roles=[*user.roles],
        is_active=user.is_active,
        created_at=user.created_at,
        last_login_at=user.last_login_at,
    )
