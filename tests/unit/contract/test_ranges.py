"""Which part of a file a header asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whispercore.contract.ranges import Span, asked_span
from whispercore.errors import RangeNotSatisfiable


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-9", 0, 10),
        ("bytes=2-4", 2, 5),
        ("bytes=7-", 7, 10),
        ("bytes=7-99", 7, 10),
        ("bytes=-3", 7, 10),
        ("bytes=-99", 0, 10),
        ("BYTES= 1-2 ", 1, 3),
    ],
)
def test_a_span_is_within_the_file(asked: str, start: int, end: int) -> None:
    span = asked_span(asked, 10)
    assert span == Span(start=start, end=end)
    assert span.of(10) == f"bytes {start}-{end - 1}/10"


UNREADABLE = ["", "bytes", "bytes=", "bytes=-", "bytes=x-y", "bytes=5-4", "lines=0-1", "bytes=0-1,4-5", "bytes=٣-"]


@pytest.mark.parametrize("asked", [None, *UNREADABLE])
def test_what_cannot_be_read_asks_for_all(asked: str | None) -> None:
    assert asked_span(asked, 10) is None


@pytest.mark.parametrize(("asked", "size"), [("bytes=10-", 10), ("bytes=10-12", 10), ("bytes=-0", 10), ("bytes=0-", 0)])
def test_what_the_file_does_not_have_is_refused(asked: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        asked_span(asked, size)
    assert refused.value.size_bytes == size


@given(asked=st.text(max_size=30), size=st.integers(0, 10**12))
def test_no_header_leads_out_of_the_file(asked: str, size: int) -> None:
    try:
        span = asked_span(f"bytes={asked}", size)
    except RangeNotSatisfiable:
        return
    assert span is None or 0 <= span.start < span.end <= size
