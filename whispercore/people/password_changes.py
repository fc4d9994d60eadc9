"""Other passwords for accounts that exist. With the old one end the sessions that were begun by it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select, update

from whispercore.audit.event import AuditEvent, Outcome
from whispercore.audit.trail import Audit
from whispercore.clock import Clock, SystemClock
from whispercore.database.session import Database
from whispercore.database.tables import users
from whispercore.errors import Conflict, InvalidRequest, NotAuthenticated, NotFound
from whispercore.people.caller import Caller
from whispercore.people.lockout import Lockout
from whispercore.people.passwords import Passwords, check_new
from whispercore.people.recognition import Recognition
from whispercore.people.sessions import Sessions


class PasswordChanges:
    """Changes passwords.

    Args:
        database: Where the accounts are.
        passwords: Hashes and compares.
        sessions: End by this.
        recognition: Told of what has ended.
        lockout: Has those wait who guess the present one.
        audit: Where it is noted.
        clock: By whose time.
    """

    def __init__(
        self,
        database: Database,
        *,
        passwords: Passwords,
        sessions: Sessions,
        recognition: Recognition,
        lockout: Lockout,
        audit: Audit,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._sessions = sessions
        self._recognition = recognition
        self._lockout = lockout
        self._audit = audit
        self._clock = clock if clock is not None else SystemClock()

    async def change(self, caller: Caller, current: str, new: str) -> int:
        """Change the caller's own, and end all his sessions but the one that he came with.

        Returns:
            How many sessions were ended.

        Raises:
            InvalidRequest: The current one is another, or the new one is none to take.
            Conflict: There is none, or it was changed by another request in this moment.
            TooManyRequests: There were too many failures.
            Unavailable: Too many log in at this moment.
        """
        row, place = await self._row(caller.user_id), caller.request.address
        if row.password_hash is None:
            raise Conflict("this account has no password; whoever runs this server can give it one")
        try:
            async with self._lockout.attempt(row.username, caller):
                if not (await self._passwords.verify(current, row.password_hash, place=place)).ok:
                    raise NotAuthenticated  # noqa: TRY301 (what the lock-out counts)
        except NotAuthenticated:
            self._audit.note(caller, _changed(row.id, outcome="failure"))
            raise InvalidRequest.one("current_password", "it is not the password of this account") from None
        if new == current:
            raise InvalidRequest.one("new_password", "it is the current one")
        check_new(new, names=(row.username, row.email or ""), field="new_password")
        return await self._keep(caller, row, await self._passwords.hash(new, place=place))

    async def set(self, caller: Caller, user_id: str, new: str) -> int:
        """Give a user another one, and end all his sessions; for those who have the installation's files.

        Returns:
            How many sessions were ended.

        Raises:
            InvalidRequest: It is none to take.
            NotFound: There is no such user.
        """
        row = await self._row(user_id)
        check_new(new, names=(row.username, row.email or ""))
        return await self._keep(caller, row, await self._passwords.hash(new))

    async def _row(self, user_id: str) -> Row[Any]:
        async with self._database.read() as connection:
            row = (await connection.execute(select(users).where(users.c.id == user_id))).one_or_none()
        if row is None:
            raise NotFound("user", user_id)
        return row

    async def _keep(self, caller: Caller, row: Row[Any], hashed: str) -> int:
        old = row.password_hash
        unchanged = users.c.password_hash.is_(None) if old is None else users.c.password_hash == old
        async with self._database.write() as tx:
            done = await tx.execute(
                update(users)
                .where(users.c.id == row.id, unchanged)
                .values(password_hash=hashed, password_changed_at=self._clock.now())
            )
            if done.rowcount == 0:
                raise Conflict("the password was changed by another request in this moment")
            mine = caller.session_id if caller.user_id == row.id else None
            ended = await self._sessions.end(tx, "password_change", user_id=row.id, but=mine)
            await self._audit.append(tx, caller, _changed(row.id, ended=len(ended)))
        self._recognition.forget_session(*ended)
        return len(ended)


def _changed(user_id: str, *, outcome: Outcome = "success", ended: int = 0) -> AuditEvent:
    return AuditEvent(
        event_type="password_change",
        action="change a password",
        severity="medium",
        outcome=outcome,
        resource_type="user",
        resource_id=user_id,
        details={"ended_sessions": ended},
        risk_score=0 if outcome == "success" else 3,
        blocked=outcome == "failure",
    )
