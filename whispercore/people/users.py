"""Accounts: making them, comparing passwords, and who is who."""

from __future__ import annotations

import json
import unicodedata
from datetime import datetime
from typing import Final

from attrs import field, frozen
from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.clock import Clock, SystemClock
from whispercore.database.session import Database
from whispercore.database.tables import users
from whispercore.encryption.key_pairs import KeyPairs
from whispercore.errors import Conflict, InvalidRequest, NotAuthenticated, NotFound, Problem
from whispercore.ids import Ids, Uuid7Ids
from whispercore.people.caller import Caller, Via
from whispercore.people.passwords import Passwords, check_new
from whispercore.people.scopes import ADMIN, scopes_of_roles

LONGEST_NAME: Final = 150
USER: Final = ("user",)
"""The roles of everybody who registers himself."""
_LONGEST_EMAIL: Final = 254
_TAKEN: Final = "this user name is taken"
_REFUSAL: Final = "the user name or the password is wrong"


@frozen(kw_only=True)
class User:
    """A person with an account."""

    id: str
    username: str
    email: str | None
    roles: tuple[str, ...]
    is_active: bool
    created_at: datetime
    last_login_at: datetime | None

    @property
    def is_admin(self) -> bool:
        """Whether he administers this installation."""
        return ADMIN in self.roles

    def caller(self, via: Via) -> Caller:
        """The caller that he is, with all that his roles allow."""
        return Caller(
            user_id=self.id,
            username=self.username,
            scopes=scopes_of_roles(self.roles),
            is_admin=self.is_admin,
            via=via,
        )


@frozen(kw_only=True)
class Checked:
    """A user whose password was right a moment ago."""

    user: User
    hash: str = field(repr=False)
    """The one that it was compared with."""
    renewed: str | None = field(default=None, repr=False)
    """One to keep in its place."""


class Users:
    """The accounts of an installation.

    Args:
        database: Where they are.
        passwords: Hashes and compares.
        clock: Says when they were made and used.
        ids: Names for new ones.
        audit: Where it is noted who made them.
        key_pairs: Gives each a key pair.
    """

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        audit: Audit | None = None,
        key_pairs: KeyPairs | None = None,
    ) -> None:
        self._key_pairs = key_pairs
        self._database = database
        self._passwords = passwords
        self._clock = clock if clock is not None else SystemClock()
        self._ids = ids if ids is not None else Uuid7Ids(self._clock)
        self._audit = audit

    async def register(
        self,
        username: str,
        password: str,
        email: str | None = None,
        *,
        caller: Caller | None = None,
        roles: tuple[str, ...] = USER,
    ) -> User:
        """Make an account.

        Args:
            username: What he is called.
            password: What he will log in with.
            email: His address, if it is known.
            caller: Who makes it.
            roles: What he will be.

        Raises:
            InvalidRequest: The name, the password or the address cannot be used; all that is wrong is told at once.
            Conflict: The name is taken, in this spelling or one that looks the same.
            Unavailable: Too many make accounts or log in at this moment.
        """
        caller = caller if caller is not None else Caller.nobody()
        username, email = username.strip(), (email or "").strip() or None
        _check(username, password, email)
        if await self._row_of(username_key(username)) is not None:
            raise Conflict(_TAKEN)
        hashed = await self._passwords.hash(password, place=caller.request.address)
        try:
            async with self._database.write() as tx:
                return await self._keep(tx, caller, username, email, roles=roles, hashed=hashed)
        except IntegrityError:
            raise Conflict(_TAKEN) from None

    async def make(
        self, tx: AsyncConnection, caller: Caller, username: str, email: str | None, *, roles: tuple[str, ...]
    ) -> User:
        """Make an account without a password, in a transaction: whoever it is comes in otherwise.

        Raises:
            Conflict: The name is taken, in this spelling or one that looks the same, or nobody can be called so.
        """
        if problems := [*_of_name(username), *_of_email(email)]:
            raise Conflict(f"no account can be made: {'; '.join(map(str, problems))}")
        taken = select(users.c.id).where(users.c.username_key == username_key(username))
        if (await tx.execute(taken)).first() is not None:
            raise Conflict(_TAKEN)
        return await self._keep(tx, caller, username, email, roles=roles, hashed=None)

    async def _keep(
        self,
        tx: AsyncConnection,
        caller: Caller,
        username: str,
        email: str | None,
        *,
        roles: tuple[str, ...],
        hashed: str | None,
    ) -> User:
        made = User(
            id=self._ids.new(),
            username=username,
            email=email,
            roles=roles,
            is_active=True,
            created_at=self._clock.now(),
            last_login_at=None,
        )
        row = {
            "id": made.id,
            "username": username,
            "username_key": username_key(username),
            "email": email,
            "password_hash": hashed,
            "roles": json.dumps(roles),
            "is_active": True,
            "created_at": made.created_at,
        }
        await tx.execute(insert(users), row)
        if self._key_pairs is not None:
            await self._key_pairs.make(tx, made.id)
        if self._audit is not None:
            await self._audit.append(tx, caller, _made(made))
        return made

    async def check(self, username: str, password: str, *, place: str = "") -> Checked:
        """The user with this name and password.

        Args:
            username: In any spelling that looks like his.
            password: As somebody says.
            place: From where he says it: places take turns.

        Raises:
            NotAuthenticated: There is none, or he may not come in. Neither words nor time tell what was wrong.
            Unavailable: Too many log in at this moment.
        """
        key = _key_of_stranger(username)
        row = None if key is None else await self._row_of(key)
        kept = None if row is None else row.password_hash
        verified = await self._passwords.verify(password, kept, place=place)
        if row is None or not verified.ok or not row.is_active:
            raise NotAuthenticated(_REFUSAL)
        return Checked(user=user_of(row), hash=row.password_hash, renewed=verified.renewed)

    async def entered(self, tx: AsyncConnection, checked: Checked) -> None:
        """Note that he comes in, in the transaction that lets him in.

        Raises:
            NotAuthenticated: His password was changed meanwhile, or his account is not active any more.
        """
        changes: dict[str, datetime | str] = {"last_login_at": self._clock.now()}
        if checked.renewed is not None:
            changes["password_hash"] = checked.renewed
        done = await tx.execute(
            update(users)
            .where(users.c.id == checked.user.id, users.c.password_hash == checked.hash, users.c.is_active.is_(True))
            .values(changes)
        )
        if done.rowcount == 0:
            raise NotAuthenticated(_REFUSAL)

    async def named(self, username: str) -> User:
        """A user by his name, in any spelling that looks like it; for those who have the installation's files.

        Raises:
            NotFound: There is none.
        """
        key = _key_of_stranger(username)
        row = None if key is None else await self._row_of(key)
        if row is None:
            raise NotFound("user", username)
        return user_of(row)

    async def get(self, user_id: str) -> User:
        """A user, for us: no handler may reach another one by id.

        Raises:
            NotFound: There is none.
        """
        row = None
        if user_id.isascii() and user_id.isprintable():  # some databases fail on other text
            async with self._database.read() as connection:
                row = (await connection.execute(select(users).where(users.c.id == user_id))).one_or_none()
        if row is None:
            raise NotFound("user", user_id)
        return user_of(row)

    async def _row_of(self, key: str) -> Row[tuple[object, ...]] | None:
        async with self._database.read() as connection:
            return (await connection.execute(select(users).where(users.c.username_key == key))).one_or_none()


def user_of(row: Row[tuple[object, ...]]) -> User:
    """The user in a row that has the columns of ``users``."""
    return User(
        id=row.id,
        username=row.username,
        email=row.email,
        roles=tuple(json.loads(row.roles)),
        is_active=row.is_active,
        created_at=row.created_at,
        last_login_at=row.last_login_at,
    )


def username_key(username: str) -> str:
    """One spelling for all that look the same."""
    folded = unicodedata.normalize("NFKC", username.strip()).casefold()
    return unicodedata.normalize("NFKC", folded)


def _made(user: User) -> AuditEvent:
    return AuditEvent(
        event_type="account_created",
        action="make an account",
        severity="medium" if user.is_admin else "low",
        resource_type="user",
        resource_id=user.id,
        details={"username": user.username, "roles": ", ".join(user.roles)},
    )


def _key_of_stranger(username: str) -> str | None:
    return username_key(username) if len(username) <= LONGEST_NAME and not _odd(username) else None


def _odd(text: str) -> bool:
    """Whether there is something in it that is not seen: control characters, invisible ones, halves of others."""
    return any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for character in text)


def _check(username: str, password: str, email: str | None) -> None:
    problems = _of_name(username)
    try:
        check_new(password, names=(username, email or ""))
    except InvalidRequest as error:
        problems.extend(error.problems)
    problems += _of_email(email)
    if problems:
        raise InvalidRequest(tuple(problems))


def _of_name(username: str) -> list[Problem]:
    if not username_key(username) or len(username) > LONGEST_NAME:
        return [Problem("username", f"it needs 1 to {LONGEST_NAME} characters")]
    return [Problem("username", "it has characters that nobody can see")] if _odd(username) else []


def _of_email(email: str | None) -> list[Problem]:
    return [] if email is None or _is_email(email) else [Problem("email", "it is not an e-mail address")]


def _is_email(text: str) -> bool:
    # only sending to it can tell more
    name, at, domain = text.rpartition("@")
    return (
        bool(name and at and domain) and len(text) <= _LONGEST_EMAIL and not _odd(text) and not set(text) & set(" \t")
    )
