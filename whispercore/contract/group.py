"""Groups of endpoints, and the APIs that they make up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from attrs import frozen

from whispercore.contract.dialect import Dialect

if TYPE_CHECKING:
    from whispercore.contract.endpoint import Operation

T_co = TypeVar("T_co", covariant=True)
"""The transport of a client: ``AsyncTransport`` or ``SyncTransport``."""


class Group(Generic[T_co]):
    """A class whose attributes are endpoints. With a transport they are calls.

    Args:
        transport: What sends the requests. Calls of a third party's group: ``Theirs(client.transport).create(…)``.
    """

    tag: ClassVar[str]
    """Its name, in the names of its endpoints and on a client."""
    dialect: ClassVar[Dialect]

    def __init__(self, transport: T_co) -> None:
        self.transport = transport

    @classmethod
    def operations(cls) -> Iterator[Operation]:
        """Its endpoints, in the order of their declaration."""
        from whispercore.contract.endpoint import Operation  # noqa: PLC0415 (a cycle: endpoints look at their group)

        seen: dict[str, Operation] = {}
        for kind in reversed(cls.__mro__):
            seen |= {name: value for name, value in vars(kind).items() if isinstance(value, Operation)}
        yield from seen.values()


@frozen(kw_only=True, eq=False)
class Api:
    """A documented API: its groups, its dialect and where it lives. It equals itself only."""

    name: str
    title: str
    version: str
    dialect: Dialect
    groups: tuple[type[Group[Any]], ...]
    prefixes: tuple[str, ...]
    """Paths below these that lead nowhere are answered in its dialect; the longest prefix decides."""
    rate_profile: str | None = None
    """The profile of rate limits that its document asks for; that of the server's settings if there is none."""

    def operations(self) -> Iterator[Operation]:
        """All its endpoints."""
        for group in self.groups:
            yield from group.operations()
