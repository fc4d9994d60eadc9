"""Accounts without a server, or beside one: what the commands do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from attrs import evolve, frozen
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from whispercore.database.page import Slice
from whispercore.database.session import SQLITE, parsed
from whispercore.encryption.master_key import MasterKey
from whispercore.encryption.rotation import Rotated, rotate
from whispercore.errors import InvalidOption
from whispercore.key_fingerprints import forget_keys
from whispercore.people.caller import Caller
from whispercore.people.roster import ROLES, Role, UserFilter
from whispercore.people.signing_keys import SigningKey
from whispercore.people.users import User
from whispercore_server import data_folder
from whispercore_server.errors import CannotStart
from whispercore_server.ports import Ports
from whispercore_server.settings import ServerSettings

OPERATOR: Final = evolve(Caller.nobody(), username="command line", is_admin=True)
"""Who is at the machine itself: he has the files, so he may do all."""
_PAGE: Final = 500


@frozen
class Accounts:
    """The accounts of an installation. A server that is at work sees what is changed within seconds."""

    ports: Ports

    async def create(self, username: str, password: str, email: str | None, role: Role) -> User:
        """Make one.

        Raises:
            InvalidRequest: The name, the password or the address cannot be used.
            Conflict: The name is taken.
        """
        return await self.ports.users.register(username, password, email, caller=OPERATOR, roles=ROLES[role])

    async def every(self) -> list[User]:
        """All of them, the oldest first."""
        found: list[User] = []
        while True:
            page = await self.ports.roster.listed(OPERATOR, UserFilter(), Slice(len(found), _PAGE))
            found.extend(page.rows)
            if len(page.rows) < _PAGE:
                return found[::-1]

    async def set_active(self, username: str, *, active: bool) -> User:
        """Open or close one.

        Raises:
            NotFound: There is none of this name.
            Conflict: It is the last administrator's.
        """
        user = await self.ports.users.named(username)
        return await self.ports.roster.set_active(OPERATOR, user.id, active=active)

    async def set_role(self, username: str, role: Role) -> User:
        """Make somebody an administrator, or one no more.

        Raises:
            NotFound: There is none of this name.
            Conflict: He is the last administrator.
        """
        user = await self.ports.users.named(username)
        return await self.ports.roster.set_role(OPERATOR, user.id, role)

    async def set_password(self, username: str, password: str) -> int:
        """Give somebody another password, and how many of his sessions ended by that.

        Raises:
            NotFound: There is none of this name.
            InvalidRequest: The password is none to take.
        """
        user = await self.ports.users.named(username)
        return await self.ports.password_changes.set(OPERATOR, user.id, password)

    async def rotate_signing_key(self, *, believe_old: bool) -> SigningKey:
        """Sign tokens with a new key from now on."""
        return await self.ports.tokens.rotate(OPERATOR, believe_old=believe_old)

    async def rotate_master_key(self, to: Path | None) -> Rotated:
        """Seal all secret keys to another master key.

        Args:
            to: The file of the new one, made if it is not there; None for the place of the old one.

        Raises:
            InvalidOption: A key cannot be read, or the old one is in no file and the new one needs another place.
            WrongMasterKey: The old one is not that of this installation.
        """
        settings = self.ports.settings
        old = MasterKey(settings.master_key_file, text=settings.master_key)
        new = MasterKey(to) if to is not None else None
        return await rotate(self.ports.database, old, new, audit=self.ports.audit, caller=OPERATOR)


@asynccontextmanager
async def opened(settings: ServerSettings, *, make: bool = False, adopt_keys: bool = False) -> AsyncIterator[Accounts]:
    """The accounts of the installation in the folder.

    Args:
        settings: Where it is.
        make: Whether to make one if there is none.
        adopt_keys: Whether its keys are those that are here from now on, whatever they were before.

    Raises:
        InvalidOption: There is none, its keys are others, or the folder cannot be written to.
        CannotStart: The database cannot be used.
    """
    if not make:
        _check(settings)
    data_folder.prepare(settings.data)
    ports = Ports.of(settings)
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(ports.database)
            await ports.database.prepare()
            if adopt_keys:
                for key in (ports.audit.key, ports.token_key):
                    await asyncio.to_thread(key.secret)
                await forget_keys(ports.database)
            await ports.audit.open()
        except SQLAlchemyError as error:
            reason = error.orig if isinstance(error, DBAPIError) else error
            raise CannotStart(f"the database cannot be used: {reason}") from error
        stack.push_async_callback(ports.audit.close)
        stack.callback(ports.passwords.close)
        yield Accounts(ports)


def _check(settings: ServerSettings) -> None:
    url = parsed(settings.database_url)
    if url.drivername == SQLITE and not (url.database and Path(url.database).is_file()):
        raise InvalidOption("--data", f"there is no installation in {settings.data}")
