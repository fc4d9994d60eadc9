"""Who a client is, where it logs in by itself and stays in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import define, field

from whispercore.api.transcriber.auth import Auth, ChangePassword, LoggedIn
from whispercore.contract.endpoint import Operation
from whispercore.errors import InvalidOption

OnRefresh = Callable[[str], None]
"""Called with each new refresh token: the one before is worth nothing from then on."""
_MARGIN_S: Final = 30.0
"""A token that is good for less than this is renewed before it is used."""
_LEAST_S: Final = 1.0
_LONGEST: Final = 1024


@define(eq=False)
class Account:
    """A name and a password, or a refresh token, and what was got by them. All copies of a client share it."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    on_refresh: OnRefresh | None = field(default=None, repr=False)
    _access_token: str | None = field(default=None, init=False, repr=False)
    _good_until_s: float = field(default=0.0, init=False, repr=False)
    is_refused: bool = field(default=False, init=False)
    """The server knows no such user with such a password: asking again would only have others wait."""

    @classmethod
    def of(
        cls, username: str | None, password: str | None, refresh_token: str | None, on_refresh: OnRefresh | None
    ) -> Account | None:
        """Check what a caller gives; None when it is nothing.

        Raises:
            InvalidOption: It is half of something, or too much.
        """
        if username is None and password is None and refresh_token is None:
            if on_refresh is not None:
                raise InvalidOption("on_refresh", "it is for clients that have a password or a refresh token")
            return None
        if refresh_token is not None:
            if username is not None or password is not None:
                raise InvalidOption("refresh_token", "give a refresh token or a password, not both")
        elif not username or not password:
            raise InvalidOption("password" if username else "username", "a user name and a password go together")
        for name, value in (("username", username), ("password", password), ("refresh_token", refresh_token)):
            if value is not None and not 0 < len(value) <= _LONGEST:
                raise InvalidOption(name, f"it needs 1 to {_LONGEST} characters")
        return cls(username=username, password=password, refresh_token=refresh_token, on_refresh=on_refresh)

    def access_token(self, now_s: float) -> str | None:
        """A token that is good for a while; None when there is none.

        Args:
            now_s: By a clock that never goes back.
        """
        return self._access_token if now_s < self._good_until_s else None

    def took(self, entered: LoggedIn, now_s: float) -> None:
        """Keep what a login or a refresh gave."""
        self._access_token = entered.access_token
        self._good_until_s = now_s + max(entered.expires_in - _MARGIN_S, entered.expires_in / 2, _LEAST_S)
        self.refresh_token = entered.refresh_token
        if self.on_refresh is not None and entered.refresh_token is not None:
            self.on_refresh(entered.refresh_token)

    def noticed(self, operation: Operation, request: Any) -> None:
        """Hear of a call that succeeded."""
        if operation is Auth.logout:
            self.forget_tokens()
        elif operation is Auth.change_password and isinstance(request, ChangePassword) and self.password is not None:
            self.password = request.new_password

    def forget_tokens(self) -> None:
        """They are worth nothing any more; the password, if there is one, gets others."""
        self._access_token = self.refresh_token = None
        self._good_until_s = 0.0

    def forked(self) -> None:
        """In a forked process: two that use one refresh token would end each other's session."""
        if self.password is not None:
            self.forget_tokens()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody may see."""
        found = (self.password, self.refresh_token, self._access_token)
        return tuple(one for one in found if one is not None)
