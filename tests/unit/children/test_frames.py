"""Frames: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import contextlib
import io
import struct

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from whispercore.children.frames import BadFrame, Channel, Codec


@frozen
class Note:
    text: str
    numbers: tuple[float, ...] = ()
    values: dict[str, str | int | float | bool | None] = field(factory=dict)


CODEC = Codec(Note)


def received(data: bytes) -> list[tuple[object, bytes]]:
    channel, frames = Channel(io.BytesIO(data), io.BytesIO(), CODEC), []
    while (frame := channel.receive()) is not None:
        frames.append(frame)
    return frames


def sent(*frames: tuple[Note, bytes]) -> bytes:
    out = io.BytesIO()
    channel = Channel(io.BytesIO(), out, CODEC)
    for note, body in frames:
        channel.send(note, body)
    return out.getvalue()


NOTES = st.builds(
    Note,
    st.text(),
    st.lists(st.floats(allow_nan=False, allow_infinity=False)).map(tuple),
    st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)),
)


@given(st.lists(st.tuples(NOTES, st.binary(max_size=1000)), max_size=5))
def test_frames_come_out_as_they_went_in(frames: list[tuple[Note, bytes]]) -> None:
    assert received(sent(*frames)) == frames


@given(st.lists(st.tuples(NOTES, st.binary(max_size=50)), min_size=1, max_size=3), st.data())
def test_a_cut_is_an_end(frames: list[tuple[Note, bytes]], data: st.DataObject) -> None:
    """As when the other side dies in mid-sentence."""
    last = len(sent(frames[-1]))
    missing = data.draw(st.integers(1, last))
    assert received(sent(*frames)[:-missing]) == frames[:-1]


@given(st.binary(max_size=300))
def test_garbage_is_refused_or_is_an_end(garbage: bytes) -> None:
    with contextlib.suppress(BadFrame):
        received(garbage)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'["Note"]',
        b'["Nobody", {}]',
        b'["Note", {}]',
        b'["Note", {"text": "a", "x": 1}]',
        b"\xff",
    ],
)
def test_headers_that_are_not_ours(header: bytes) -> None:
    with pytest.raises(BadFrame):
        received(struct.pack("<II", len(header), 0) + header)


@pytest.mark.parametrize("lengths", [(0xFFFFFFFF, 0), (10, 0xFFFFFFFF)])
def test_lengths_have_limits(lengths: tuple[int, int]) -> None:
    with pytest.raises(BadFrame, match="a frame of"):
        received(struct.pack("<II", *lengths) + bytes(100))
