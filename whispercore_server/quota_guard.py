"""Refuses files that are more than their sender may store; before they come in, where their size is announced."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from attrs import frozen

from whispercore.contract.endpoint import Operation, Raw
from whispercore.contract.plan import Sources
from whispercore.people.caller import Caller
from whispercore.uploads.quota import Quota
from whispercore_server.guard import Guard

_FORM_BYTES: Final = 1 << 20
"""What of a form may be something else than files."""


@frozen
class QuotaGuard(Guard):
    """Looks at forms with files. What comes in pieces is looked at when it is begun.

    Args:
        quota: What each user may store.
    """

    quota: Quota

    async def admitted(self, http: web.Request, operation: Operation, caller: Caller) -> None:
        """Look at what is announced.

        Raises:
            QuotaExceeded: It is too much.
        """
        if _takes_files(operation) and caller.user_id:
            await self.quota.check(caller, max(0, (http.content_length or 0) - _FORM_BYTES))

    async def taken(self, http: web.Request, operation: Operation, caller: Caller, sources: Sources) -> None:
        """Look at what came.

        Raises:
            QuotaExceeded: It is too much.
        """
        del http, operation
        if sources.files and caller.user_id:
            await self.quota.check(caller, sum(upload.size_bytes or 0 for _, upload in sources.files))


def _takes_files(operation: Operation) -> bool:
    return not isinstance(operation, Raw) and operation.plan.is_form
