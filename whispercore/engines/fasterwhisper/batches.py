"""Work that waits together is done together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from attrs import define, field

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@define(eq=False)
class _Waiting(Generic[_Item, _Result]):
    key: Hashable
    item: _Item
    result: Future[_Result] = field(factory=Future)


class Batches(Generic[_Item, _Result]):
    """One batch at a time: whoever comes while one is computed waits, and the next takes all who want the same.

    Args:
        compute: Results for several items of one key, in order.
        most: How many one batch takes.
    """

    def __init__(self, compute: Callable[[Hashable, Sequence[_Item]], Sequence[_Result]], most: int) -> None:
        self._compute = compute
        self._most = most
        self._waiting: list[_Waiting[_Item, _Result]] = []
        self._lock = threading.Lock()
        self._computing = threading.Lock()

    def __call__(self, key: Hashable, item: _Item) -> _Result:
        """The result for one item; computed by this thread, or by another that was earlier.

        Raises:
            Exception: What ``compute`` raises, to all of the batch.
        """
        mine: _Waiting[_Item, _Result] = _Waiting(key, item)
        with self._lock:
            self._waiting.append(mine)
        with self._computing:
            if not mine.result.done():
                self._run(mine)
        return mine.result.result()

    def _run(self, mine: _Waiting[_Item, _Result]) -> None:
        with self._lock:
            others = [one for one in self._waiting if one.key == mine.key and one is not mine]
            batch = [mine, *others[: self._most - 1]]
            self._waiting = [one for one in self._waiting if one not in batch]
        try:
            results = self._compute(mine.key, [one.item for one in batch])
        except Exception as error:  # noqa: BLE001 (it belongs to all who wait for this batch)
            for one in batch:
                one.result.set_exception(error)
        else:
            for one, result in zip(batch, results, strict=True):
                one.result.set_result(result)
