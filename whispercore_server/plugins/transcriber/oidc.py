"""Answers of ``api.transcriber.oidc``."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from attrs import define

from whispercore.api.transcriber.auth import LoggedIn
from whispercore.api.transcriber.oidc import (
    FinishSignIn,
    IdentityList,
    IdentityRef,
    IdentityRow,
    IdentityUnlinked,
    LinkAccount,
    ListIdentities,
    Oidc,
    SignInStarted,
    StartSignIn,
)
from whispercore.contract.endpoint import Operation
from whispercore.database.page import Slice
from whispercore.errors import InvalidRequest, NotFound
from whispercore.oidc.linked import LinkedIdentity
from whispercore.oidc.sign_in import LASTS_S, Back, OidcSignIn
from whispercore.people.caller import Caller
from whispercore_server.link_urls import origin_of
from whispercore_server.plugin import Reply, serves
from whispercore_server.plugins.transcriber.logged_in import answer_to
from whispercore_server.ports import Ports

_PATH: Final = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", re.ASCII)
"""A path of this host: browsers take two slashes, or a backslash for one, for the beginning of another host."""


@define
class OidcHandlers:
    """Sends people to the provider, and lets them in when they come back."""

    ports: Ports

    @serves(Oidc.start)
    async def start(self, request: StartSignIn, caller: Caller) -> Reply[SignInStarted]:
        """There, with a cookie to know the browser by."""
        begun = await self._begun(Oidc.start, request, caller, links=None)
        return Reply(body=begun.body, headers={**begun.headers, "Location": begun.body.authorization_url})

    @serves(Oidc.link)
    async def link(self, request: LinkAccount, caller: Caller) -> Reply[SignInStarted]:
        """A page that asks cannot see where it is redirected, so it is told."""
        return await self._begun(Oidc.link, request, caller, links=caller)

    @serves(Oidc.callback)
    async def callback(self, request: FinishSignIn, caller: Caller) -> Reply[LoggedIn]:
        """As after a login."""
        oidc = self._oidc(Oidc.callback)
        browser = self.ports.oidc_cookies.found(caller.request, [request.cookies or ""])
        back = Back(state=request.state, code=request.code, error=request.error, issuer=request.iss)
        done = await oidc.finish(caller, back, browser=browser)
        reply = await answer_to(self.ports, caller, done.entered)
        if done.next is None:
            return reply
        return Reply(body=reply.body, status=HTTPStatus.SEE_OTHER, headers={**reply.headers, "Location": done.next})

    @serves(Oidc.identities)
    async def identities(self, request: ListIdentities, caller: Caller) -> IdentityList:
        """Those of other providers, too."""
        page = await self._oidc(Oidc.identities).linked.listed(caller, Slice(request.offset, request.limit))
        return IdentityList(
            identities=[_row(one) for one in page.rows], total=page.total, limit=request.limit, offset=request.offset
        )

    @serves(Oidc.unlink)
    async def unlink(self, request: IdentityRef, caller: Caller) -> IdentityUnlinked:
        """It can be linked again, with this account or another."""
        await self._oidc(Oidc.unlink).linked.unlink(caller, request.identity_id)
        return IdentityUnlinked(message="Identity unlinked", identity_id=request.identity_id)

    async def _begun(
        self, operation: Operation, request: StartSignIn | LinkAccount, caller: Caller, *, links: Caller | None
    ) -> Reply[SignInStarted]:
        oidc = self._oidc(operation)
        if request.next is not None and _PATH.fullmatch(request.next) is None:
            raise InvalidRequest.one("next", "it is not a path of this host, such as /app/")
        if request.next is not None and not request.session:
            raise InvalidRequest.one("next", "a page that follows would not see the tokens; leave one of both out")
        begun = await oidc.begin(
            redirect_url=self._redirect_url(caller), next_page=request.next, by_cookie=request.session, links=links
        )
        cookie = self.ports.oidc_cookies.begun(caller.request, begun.browser)
        started = SignInStarted(authorization_url=begun.url, expires_in=LASTS_S)
        return Reply(body=started, headers={"Set-Cookie": cookie})

    def _redirect_url(self, caller: Caller) -> str:
        if self.ports.settings.oidc_redirect_url is not None:
            return self.ports.settings.oidc_redirect_url
        origin = origin_of(caller.request)
        if origin is None:
            raise InvalidRequest.one("Host", "it does not say where this server is")
        return f"{origin}{caller.request.mounted_at}{Oidc.callback.path}"

    def _oidc(self, operation: Operation) -> OidcSignIn:
        """As if it were not there, where no provider is named."""
        if self.ports.oidc is None:
            raise NotFound("route", operation.path)
        return self.ports.oidc


def _row(identity: LinkedIdentity) -> IdentityRow:
    return IdentityRow(
        identity_id=identity.id,
        issuer=identity.issuer,
        subject=identity.subject,
        lets_in=identity.lets_in,
        created_at=identity.created_at,
        last_used_at=identity.last_used_at,
    )
