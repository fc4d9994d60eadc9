from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whispercore_client.events import EventParser, Sent


def parsed(*pieces: bytes) -> list[Sent]:
    parser = EventParser()
    return [sent for piece in pieces for sent in parser.feed(piece)]


def one(data: str, tag: str = "message", id: str | None = None) -> Sent:  # noqa: A002
    return Sent(tag=tag, data=data, id=id)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"data: a\n\n", [one("a")]),
        (b"data:a\r\rdata:  b\r\r", [one("a"), one(" b")]),
        (b"data: a\r\ndata: b\r\n\r\n", [one("a\nb")]),
        (b"\xef\xbb\xbfdata: a\n\n", [one("a")]),
        (b"data: \xef\xbb\xbfa\n\n", [one("\ufeffa")]),
        (b": comment\n\ndata\n\n", [one("")]),
        (b"data: a\n", []),
        (b"event: x\nid: 1\n\ndata: a\n\n", [one("a", id="1")]),
        (b"event: x\nid: 1\ndata: a\n\ndata: b\n\n", [one("a", "x", "1"), one("b", id="1")]),
        (b"id: 1\ndata: a\n\nid\ndata: b\n\n", [one("a", id="1"), one("b", id="")]),
        (b"id: 1\0\ndata: a\n\n", [one("a")]),
        (b"DATA: a\nunknown: b\ndata: c: d\n\n", [one("c: d")]),
        (b"data: \xff\n\n", [one("\ufffd")]),
        ("data: é\u2028€\n\n".encode(), [one("é\u2028€")]),
    ],
)
def test_a_stream(text: bytes, expected: list[Sent]) -> None:
    assert parsed(text) == expected
    assert parsed(*(text[at : at + 1] for at in range(len(text)))) == expected


def test_retry_is_in_milliseconds_and_digits_only() -> None:
    parser = EventParser()
    for said, expected in ((b"1500", 1.5), (b"2x", 1.5), (b"-1", 1.5), (b"9" * 40, 1.5), (b"0", 0.0)):
        list(parser.feed(b"retry: " + said + b"\n"))
        assert parser.retry_s == expected


def test_an_endless_event_is_refused() -> None:
    parser = EventParser()
    with pytest.raises(ValueError, match="longer than"):
        for _ in range(100):
            list(parser.feed(b"x" * 100_000))
    parser = EventParser()
    with pytest.raises(ValueError, match="longer than"):
        for _ in range(100):
            list(parser.feed(b"data: " + b"x" * 100_000 + b"\n"))


@given(
    st.lists(st.sampled_from([b"data: a", b"data: \xe2\x82\xac", b"event: x", b"id: 7", b": c", b"", b""])),
    st.sampled_from([b"\n", b"\r", b"\r\n"]),
    st.data(),
)
def test_where_the_pieces_end_does_not_matter(lines: list[bytes], end: bytes, data: st.DataObject) -> None:
    text = end.join(lines) + end
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert parsed(*pieces) == parsed(text)
