"""The first administrator, without whom nobody could make others."""

from __future__ import annotations

import json
import re
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.clock import Clock, SystemClock
from whispercore.database.alone import alone
from whispercore.database.session import Database
from whispercore.database.tables import api_keys, users
from whispercore.errors import InvalidOption
from whispercore.ids import Ids, Uuid7Ids
from whispercore.people.api_key import RESERVED, ApiKey, NewKey, new_key, preview_of, row_of
from whispercore.people.digest import digest
from whispercore.people.scopes import ADMIN
from whispercore.people.tokens import looks_like_token
from whispercore.people.users import username_key

SETTING = f"{RESERVED}ADMIN_KEY"
_FORM = re.compile(r"[!-~]{32,200}", re.ASCII)


async def ensure_admin_key(
    database: Database, key: str | None, *, clock: Clock | None = None, ids: Ids | None = None
) -> NewKey | None:
    """See to it that somebody can administer this installation.

    Args:
        database: That of the installation.
        key: The key that its owner has chosen. It takes the place of one that he chose before. With None, a key is made
            if there is no administrator yet.
        clock: Says when that was.
        ids: Names for what is made.

    Returns:
        A key that was made, to be shown once; None when none was.

    Raises:
        InvalidOption: The chosen key is too short, too long, has other than printable ASCII characters or spaces in
            it, was revoked, or belongs to somebody else.
    """
    if key is not None:
        _check(key)
    clock = clock if clock is not None else SystemClock()
    ids = ids if ids is not None else Uuid7Ids(clock)
    async with database.write() as tx:
        await alone(tx, "administrator")
        admin_id = await _administrator(tx)
        if key is None and admin_id is not None:
            return None
        if admin_id is None:
            admin_id = await _make_administrator(tx, ids.new(), clock.now())
        return await _give_key(tx, admin_id, key, key_id=ids.new(), now=clock.now())


def _check(key: str) -> None:
    if _FORM.fullmatch(key) is None:
        raise InvalidOption(SETTING, "it needs 32 to 200 printable ASCII characters without spaces")
    if looks_like_token(key):
        raise InvalidOption(SETTING, "it has the form of a token (three words with dots between them); take another")


async def _administrator(tx: AsyncConnection) -> str | None:
    rows = (await tx.execute(select(users.c.id, users.c.roles, users.c.is_active).order_by(users.c.id))).all()
    return next((row.id for row in rows if row.is_active and ADMIN in json.loads(row.roles)), None)


async def _make_administrator(tx: AsyncConnection, user_id: str, now: datetime) -> str:
    taken = set((await tx.execute(select(users.c.username_key).where(users.c.username_key.like("admin%")))).scalars())
    names = ("admin", *(f"admin-{number}" for number in range(2, len(taken) + 3)))
    username = next(name for name in names if username_key(name) not in taken)
    await tx.execute(
        insert(users),
        {
            "id": user_id,
            "username": username,
            "username_key": username_key(username),
            "roles": json.dumps(["user", ADMIN]),
            "is_active": True,
            "created_at": now,
        },
    )
    return user_id


async def _give_key(
    tx: AsyncConnection, admin_id: str, chosen: str | None, *, key_id: str, now: datetime
) -> NewKey | None:
    if chosen is not None:
        there = (await tx.execute(select(api_keys).where(api_keys.c.key_hash == digest(chosen).hex()))).one_or_none()
        if there is not None and (there.name != SETTING or there.revoked_at is not None):
            raise InvalidOption(SETTING, "this key was revoked, or is somebody's own; take another")
        await tx.execute(
            update(api_keys)
            .where(
                api_keys.c.name == SETTING,
                api_keys.c.revoked_at.is_(None),
                api_keys.c.key_hash != digest(chosen).hex(),
            )
            .values(revoked_at=now)
        )
        if there is not None:
            return None
    key = chosen if chosen is not None else new_key()
    info = ApiKey(
        id=key_id,
        user_id=admin_id,
        name=SETTING if chosen is not None else "first administrator",
        preview=preview_of(key),
        permissions=(ADMIN,),
        created_at=now,
        expires_at=None,
        last_used_at=None,
        usage_count=0,
        revoked_at=None,
    )
    await tx.execute(insert(api_keys), row_of(info, key))
    return NewKey(key=key, info=info) if chosen is None else None
