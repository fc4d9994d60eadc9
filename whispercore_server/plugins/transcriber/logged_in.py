"""The answer to somebody who is in, whichever way he came."""

from __future__ import annotations

from datetime import datetime

from whispercore.api.transcriber.auth import LoggedIn, LoggedInUser
from whispercore.people.caller import Caller
from whispercore.people.entry import Entered
from whispercore_server.plugin import Reply
from whispercore_server.ports import Ports


async def answer_to(ports: Ports, caller: Caller, entered: Entered) -> Reply[LoggedIn]:
    """With tokens, or with a cookie."""
    if entered.cookie is None:
        return Reply(body=with_tokens(ports, entered))
    csrf = await ports.csrf.make(entered.session_id)
    body = LoggedIn(
        access_token="",
        token_type="session",  # noqa: S106 (the name of a scheme)
        expires_in=_seconds_until(ports, entered.expires_at),
        user=_user(entered),
        session_id=entered.session_id,
        csrf_token=csrf.token,
    )
    return Reply(body=body, headers={"Set-Cookie": ports.cookies.begun(caller.request, entered.cookie)})


def with_tokens(ports: Ports, entered: Entered) -> LoggedIn:
    """Those that a program goes on with."""
    assert entered.access is not None
    return LoggedIn(
        access_token=entered.access.token,
        token_type="bearer",  # noqa: S106 (the name of a scheme)
        expires_in=entered.access.expires_in,
        user=_user(entered),
        session_id=entered.session_id,
        refresh_token=entered.refresh_token,
        refresh_expires_in=_seconds_until(ports, entered.expires_at),
    )


def _seconds_until(ports: Ports, at: datetime) -> int:
    return round((at - ports.clock.now()).total_seconds())


def _user(entered: Entered) -> LoggedInUser:
    return LoggedInUser(id=entered.user.id, username=entered.user.username, email=entered.user.email)
