"""All that has to do with people, put together."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from attrs import frozen

from whispercore.audit.trail import Audit
from whispercore.database.session import Database
from whispercore.encryption.key_pairs import KeyPairs
from whispercore.ids import Ids
from whispercore.people.auth import OurAuth
from whispercore.people.client_secrets import ClientSecrets
from whispercore.people.csrf import CsrfTokens
from whispercore.people.entry import Entry
from whispercore.people.keys import Keys
from whispercore.people.lockout import Lockout
from whispercore.people.password_changes import PasswordChanges
from whispercore.people.passwords import Passwords
from whispercore.people.recognition import Recognition
from whispercore.people.refreshing import Refreshing
from whispercore.people.roster import Roster
from whispercore.people.seen import Seen
from whispercore.people.sessions import LASTS, LONGEST, Sessions
from whispercore.people.signing_keys import SigningKeys
from whispercore.people.token_key import TokenKey
from whispercore.people.tokens import Tokens
from whispercore.people.users import Users


@frozen(kw_only=True)
class People:
    """The accounts of an installation, and the ways in."""

    passwords: Passwords
    users: Users
    keys: Keys
    sessions: Sessions
    recognition: Recognition
    seen: Seen
    signing_keys: SigningKeys
    tokens: Tokens
    client_secrets: ClientSecrets
    auth: OurAuth
    lockout: Lockout
    entry: Entry
    refreshing: Refreshing
    password_changes: PasswordChanges
    roster: Roster
    csrf: CsrfTokens

    @classmethod
    def of(
        cls,
        database: Database,
        audit: Audit,
        *,
        passwords: Passwords,
        token_key: TokenKey,
        key_pairs: KeyPairs | None = None,
        ids: Ids,
        lockout: bool = True,
        session_lasts: timedelta = LASTS,
        session_longest: timedelta = LONGEST,
    ) -> Self:
        """Those in a database, by its clock; nothing is opened.

        Args:
            database: Where they are.
            audit: Where it is noted what they do.
            passwords: Hashes and compares.
            token_key: What tokens are signed with besides what is in the database.
            key_pairs: Gives everybody who comes a key pair.
            ids: Names for what is new.
            lockout: Whether those who guess passwords have to wait.
            session_lasts: How long one stays logged in without coming back.
            session_longest: How long one stays logged in at all.
        """
        clock = database.clock
        users = Users(database, passwords, clock=clock, ids=ids, audit=audit, key_pairs=key_pairs)
        keys = Keys(database, clock=clock, ids=ids, audit=audit)
        sessions = Sessions(database, clock=clock, ids=ids, lasts=session_lasts, longest=session_longest)
        recognition, seen = Recognition(database, clock), Seen(database, clock, sessions)
        signing_keys = SigningKeys(database, token_key, clock=clock, ids=ids, audit=audit)
        tokens = Tokens(signing_keys, recognition, clock=clock, ids=ids)
        client_secrets = ClientSecrets(signing_keys, recognition, keys, clock=clock, ids=ids)
        guesses = Lockout(database, clock=clock, audit=audit, is_on=lockout)
        return cls(
            passwords=passwords,
            users=users,
            keys=keys,
            sessions=sessions,
            recognition=recognition,
            seen=seen,
            signing_keys=signing_keys,
            tokens=tokens,
            client_secrets=client_secrets,
            auth=OurAuth(keys, tokens, recognition, seen, client_secrets),
            lockout=guesses,
            entry=Entry(
                database,
                users=users,
                sessions=sessions,
                tokens=tokens,
                recognition=recognition,
                lockout=guesses,
                audit=audit,
            ),
            refreshing=Refreshing(
                database, sessions=sessions, tokens=tokens, recognition=recognition, audit=audit, clock=clock
            ),
            password_changes=PasswordChanges(
                database,
                passwords=passwords,
                sessions=sessions,
                recognition=recognition,
                lockout=guesses,
                audit=audit,
                clock=clock,
            ),
            roster=Roster(database, sessions=sessions, recognition=recognition, keys=keys, audit=audit),
            csrf=CsrfTokens(signing_keys, clock=clock),
        )

    async def close(self) -> None:
        """Write down what was used, and end the threads."""
        await self.seen.close()
        await self.keys.close()
        self.passwords.close()
