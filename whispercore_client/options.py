"""What a caller may say about how calls are made, apart from what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import field, frozen

from whispercore.errors import InvalidOption

OnUpload = Callable[[int, int | None], None]
"""Called with the bytes of a request that were taken so far, and their number in all if that is known."""


def _positive(_: object, __: object, value: float) -> None:
    if not value > 0:
        raise InvalidOption("timeout_s", "it has to be above 0")


def _counted(_: object, __: object, value: int) -> None:
    if value < 0:
        raise InvalidOption("retries", "it cannot be below 0")


def _sendable(_: object, __: object, value: Mapping[str, str]) -> None:
    for name, text in value.items():
        if not name or any(one in f"{name}{text}" for one in "\r\n\0"):
            raise InvalidOption("headers", f"{name!r} cannot be sent")  # not the value: it may be a secret


@frozen(kw_only=True)
class CallOptions:
    """How calls are made.

    Raises:
        InvalidOption: A value cannot work.
    """

    timeout_s: float = field(default=60.0, validator=_positive)
    """How long nothing may move: for an answer once all was sent, for the next bytes of a stream or file."""
    retries: int = field(default=2, validator=_counted)
    """How often something is tried again where that is safe."""
    headers: Mapping[str, str] = field(factory=dict, repr=False, validator=_sendable)
    """Sent with every request."""
    on_upload: OnUpload | None = None
    """Told how far the body of a request is. What it raises ends the upload."""

    def changed(
        self,
        timeout_s: float | None,
        retries: int | None,
        headers: Mapping[str, str] | None,
        on_upload: OnUpload | None,
    ) -> CallOptions:
        """These with what is not None in their place; headers are added.

        Raises:
            InvalidOption: A value cannot work.
        """
        return CallOptions(
            timeout_s=self.timeout_s if timeout_s is None else timeout_s,
            retries=self.retries if retries is None else retries,
            headers={**self.headers, **(headers or {})},
            on_upload=on_upload or self.on_upload,
        )
