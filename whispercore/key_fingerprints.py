"""By which fingerprints the database knows the keys that are beside it.

Each machine has these keys from its own settings or files. One with another key would end what all others sign, so it
does not start. Nothing can be told of a key from its fingerprint.
"""

from __future__ import annotations

import asyncio
import hmac

from sqlalchemy import select, update

from whispercore.database.installation import installation_of
from whispercore.database.session import Database
from whispercore.database.tables import installation
from whispercore.errors import InvalidOption
from whispercore.key_file import KeyFile


async def check_key(database: Database, key: KeyFile) -> None:
    """See that the key is that of the installation. The first one is; its file is made where there is none.

    Args:
        database: Knows the fingerprint.
        key: It. One that is for this process only is not looked at.

    Raises:
        InvalidOption: It is another one, is not there, or cannot be read.
    """
    if not key.is_kept:
        return
    column = installation.c[key.fingerprint_column]
    rows = await database.rows(select(column))
    known: str | None = rows[0][0] if rows else None
    if known is None:
        async with database.write() as tx:  # one by one, so that keys are made by the first one only
            known = (await installation_of(tx))._mapping[column.name]  # noqa: SLF001 (SQLAlchemy's own name)
            if known is None:
                known = await asyncio.to_thread(key.fingerprint)
                await tx.execute(update(installation).values({column: known}))
    if not await asyncio.to_thread(key.known):
        raise _wrong(key, f"{key.file} is not there, and {key.setting} is not set")
    if not hmac.compare_digest(await asyncio.to_thread(key.fingerprint), known):
        raise _wrong(key, f"that of {key.setting if key.file is None else key.file} is another one")


async def forget_keys(database: Database) -> None:
    """Have the keys of the next start be those of the installation, whatever they were before."""
    async with database.write() as tx:
        await installation_of(tx)
        await tx.execute(update(installation).values(audit_key_fingerprint=None, token_key_fingerprint=None))


def _wrong(key: KeyFile, reason: str) -> InvalidOption:
    return InvalidOption(
        key.name.replace(" ", "_"),
        f"it is not the {key.name} of this installation: {reason}. Set {key.setting} alike on all machines, or copy "
        f"{key.file_name} from the data folder of one that works. Only if the {key.name} is lost, or changed on "
        "purpose, run `whispercore db adopt-keys` on one of them",
    )
