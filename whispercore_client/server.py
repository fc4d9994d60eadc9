"""Which server is called, and as whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.request import getproxies, proxy_bypass

from attrs import field, frozen
from yarl import URL

from whispercore.errors import InvalidOption
from whispercore_client.account import Account

_SHORTEST_SECRET: Final = 4


@frozen(kw_only=True)
class Server:
    """An address and the credentials for it, which no error, log or ``repr`` shows."""

    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    """The credentials, as they are sent."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    account: Account | None = field(default=None, repr=False, eq=False)
    """As whom a client logs in by itself."""

    @classmethod
    def of(
        cls,
        base_url: str,
        *,
        api_key: str | None = None,
        token: str | None = None,
        account: Account | None = None,
    ) -> Server:
        """Check what a caller gives.

        Args:
            base_url: With the path below which the server is mounted, if there is one.
            api_key: A key of the server.
            token: An access token, as ``auth.login`` gives it.
            account: In place of both.

        Raises:
            InvalidOption: The address is none, or a credential cannot be sent.
        """
        try:
            url = URL(base_url)
            if url.scheme not in ("http", "https") or not url.host:
                raise InvalidOption("base_url", "it has to begin with http:// or https:// and a host")
        except ValueError:
            raise InvalidOption("base_url", "it is no address") from None
        if url.user is not None or url.password is not None:
            raise InvalidOption("base_url", "give a token or an API key instead of a user and password in the address")
        if url.query_string or url.fragment:
            raise InvalidOption("base_url", "it ends with the path; no query may follow")
        if api_key is not None and token is not None:
            raise InvalidOption("api_key", "give a token or an API key, not both")
        if account is not None and (api_key is not None or token is not None):
            name = "password" if account.password is not None else "refresh_token"
            raise InvalidOption(name, "give it, a token or an API key, but one of them only")
        headers: dict[str, str] = {}
        if api_key is not None:
            headers["X-API-Key"] = _credential("api_key", api_key)
        if token is not None:
            headers["Authorization"] = f"Bearer {_credential('token', token)}"
        secrets = tuple(one for one in (api_key, token) if one is not None and len(one) >= _SHORTEST_SECRET)
        return cls(base_url=str(url).rstrip("/"), headers=headers, secrets=secrets, account=account)

    def url(self, path: str, query: list[tuple[str, str]]) -> URL:
        """The address of a path, which is quoted already and stays as it is."""
        url = URL(self.base_url + path, encoded=True)
        return url.with_query(query) if query else url

    def proxy(self, elsewhere: URL | None = None) -> str | None:
        """The proxy that the environment names for this server, if any.

        The rest of what aiohttp would take from the environment is not wanted: a ``.netrc`` would override a token.

        Args:
            elsewhere: An address of another server, to which this one has sent us on.
        """
        url = elsewhere if elsewhere is not None else URL(self.base_url)
        if proxy_bypass(url.host or ""):
            return None
        return getproxies().get(url.scheme)

    def masked(self, text: str) -> str:
        """A text from outside, without our credentials: something in between may echo them."""
        changing = self.account.secrets if self.account is not None else ()
        for secret in (*self.secrets, *(one for one in changing if len(one) >= _SHORTEST_SECRET)):
            text = text.replace(secret, "***")
        return text


def _credential(name: str, value: str) -> str:
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise InvalidOption(name, "it has to be printable ASCII without spaces")
    return value
