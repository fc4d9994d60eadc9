"""Answers of ``api.transcriber.admin.csrf``."""

from __future__ import annotations

from attrs import define

from whispercore.api.transcriber.admin.csrf import Csrf, CsrfToken, GetCsrfToken
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports


@define
class CsrfHandlers:
    """Makes tokens against forged requests."""

    ports: Ports

    @serves(Csrf.token)
    async def token(self, request: GetCsrfToken, caller: Caller) -> CsrfToken:
        """For the cookie's session, if the caller has one."""
        del request
        made = await self.ports.csrf.make(caller.session_id if caller.via == "session" else "")
        return CsrfToken(csrf_token=made.token, expires_in=made.expires_in)
