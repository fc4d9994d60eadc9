"""Windows in any order, segments by time."""

from __future__ import annotations

import itertools

from whispercore.checkpoints import FinishedWindow
from whispercore.order import Order
from whispercore.transcript import Fingerprint, Segment

WHO = Fingerprint(engine="scripted 1", model_sha256="ab", device="none", threads=1)


def window(index: int, channel: int | None, start_s: float, end_s: float, *times: float) -> FinishedWindow:
    segments = tuple(Segment(text=f"{channel} at {at}", start_s=at, end_s=at + 0.5, channel=channel) for at in times)
    return FinishedWindow(
        index=index, channel=channel, start_s=start_s, end_s=end_s, segments=segments, fingerprint=WHO
    )


CALL = (
    window(0, 0, 0, 10, 1, 4, 9),
    window(0, 1, 0, 8, 2, 4, 7.5),
    window(1, 1, 8, 16, 8, 12),
    window(1, 0, 10, 20, 10, 16.5),
    window(2, 1, 16, 20),
)
"""In the order in which they are cut."""


def test_the_order_does_not_depend_on_who_was_first() -> None:
    expected = None
    for arrangement in itertools.permutations(enumerate(CALL)):
        order = Order(range(2))
        given = [segment for number, item in arrangement for segment in order.add(number, item)] + order.rest()
        assert len(given) == 10
        expected = expected if expected is not None else given
        assert given == expected
    assert expected is not None
    assert [segment.start_s for segment in expected] == sorted(segment.start_s for segment in expected)


def test_nothing_is_given_before_its_turn() -> None:
    order = Order([None])
    assert order.add(1, window(1, None, 10, 20, 12)) == []
    assert [segment.start_s for segment in order.add(0, window(0, None, 0, 10, 3, 5))] == [3, 5, 12]


def test_a_silent_channel_holds_nobody_up_for_long() -> None:
    order = Order(range(2))
    assert order.add(0, window(0, 0, 0, 10, 1, 9)) == []
    assert [segment.start_s for segment in order.add(1, window(0, 1, 0, 5))] == [1]
    assert [segment.start_s for segment in order.rest()] == [9]
