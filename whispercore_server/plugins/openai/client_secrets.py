"""Answers of ``api.openai.client_secrets``."""

from __future__ import annotations

from datetime import timedelta

from attrs import define

from whispercore.api.openai.client_secrets import ClientSecret, ClientSecrets, CreateClientSecret
from whispercore.api.openai.realtime_session import Session, SessionAudio, SessionChange
from whispercore.contract.wire import dumps, loads, patiently
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.plugins.openai.realtime_session import Wanted
from whispercore_server.ports import Ports


@define
class ClientSecretsHandlers:
    """Makes what pages and apps come with."""

    ports: Ports

    @serves(ClientSecrets.create)
    async def create(self, request: CreateClientSecret, caller: Caller) -> ClientSecret:
        """What cannot be done is refused here, and not when it is used."""
        wanted = await Wanted.first(None, self.ports, request.session)
        made = await self.ports.people.client_secrets.make(
            caller, dumps(request.session).decode(), timedelta(seconds=request.expires_after.seconds)
        )
        return ClientSecret(
            value=made.value,
            expires_at=int(made.expires_at.timestamp()),
            session=Session(
                id=f"sess_{self.ports.ids.new()}",
                expires_at=None,
                audio=SessionAudio(input=wanted.input),
                include=wanted.include,
            ),
        )


def laid_down(caller: Caller) -> SessionChange | None:
    """How a caller is to transcribe, by who made the client secret that he came with; None without one."""
    return patiently(loads(caller.laid_down.encode()), SessionChange) if caller.laid_down else None
