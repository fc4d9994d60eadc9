"""Tokens to words: whole characters, times in order, nothing lost."""

from __future__ import annotations

import difflib
import itertools
from pathlib import Path
from statistics import median
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

import whispercore
from tests.speech import samples, truth, write_wav
from whispercore.engines.whispercpp.words import Token, segment

TEXTS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=40)
TIMES = st.floats(-5, 40, allow_nan=False)


def token(
    text: str | bytes,
    start_s: float = 0.0,
    end_s: float = 0.0,
    probability: float = 0.5,
    aligned_end_s: float | None = None,
) -> Token:
    return Token(text.encode() if isinstance(text, str) else text, probability, start_s, end_s, aligned_end_s)


def test_words_and_punctuation() -> None:
    made = segment(
        [token(" Hel", 0.1, 0.2, 1.0), token("lo", 0.2, 0.4, 0.5), token(",", 0.4, 0.4), token(" world", 0.5, 0.9)],
        0.0,
        1.0,
        limit_s=10,
        words=True,
    )
    assert made is not None
    assert made.text == "Hello, world"
    assert [word.text for word in made.words] == ["Hello,", "world"]
    assert [(word.start_s, word.end_s) for word in made.words] == [(0.05, 0.45), (0.5, 0.95)]  # half of 12 letters each
    assert made.words[1].confidence == 0.5


def test_a_character_in_two_tokens() -> None:
    data = " こんにちは".encode()
    made = segment([token(data[:5]), token(data[5:9]), token(data[9:])], 0, 1, limit_s=1, words=True)
    assert made is not None
    assert made.text == "こんにちは"
    assert "".join(word.text for word in made.words) == "こんにちは"


def test_no_text_is_no_segment() -> None:
    assert segment([], 0, 1, limit_s=1, words=True) is None
    assert segment([token("  ")], 0, 1, limit_s=1, words=True) is None


def test_times_behind_the_sound_end_with_it() -> None:
    made = segment([token(" a", 28, 30)], 27.0, 30.0, limit_s=11.0, words=True)
    assert made is not None
    assert (made.start_s, made.end_s) == (11.0, 11.0)


def test_words_whose_tokens_have_no_times_share_the_segment_by_length() -> None:
    made = segment([token(" a"), token(" longer")], 0.0, 9.0, limit_s=10, words=True)
    assert made is not None
    assert [(word.start_s, word.end_s) for word in made.words] == [(0.0, 1.0), (1.0, 4.5)]


def test_aligned_words_begin_where_the_last_one_and_its_punctuation_end() -> None:
    tokens = [
        token(" Hel", 0.2, 0.4, aligned_end_s=0.3),
        token("lo", 0.4, 0.7, aligned_end_s=0.5),
        token(",", 0.7, 0.8, aligned_end_s=0.9),
        token(" world", 0.8, 1.6, aligned_end_s=1.4),
        token(" …", 1.6, 2.0, aligned_end_s=2.5),
    ]
    made = segment(tokens, 0.2, 2.0, limit_s=10, words=True)
    assert made is not None
    found = [(word.text, word.start_s, word.end_s) for word in made.words]
    assert found == [("Hello,", 0.2, 0.5), ("world", 0.9, 1.4), ("…", 1.4, 2.0)]


def spoken(*aligned_end_s: float | None) -> list[tuple[float, float]]:
    """Times of four words, whose tokens say that each has a second."""
    tokens = [token(f" {'abcd'[at]}", at, at + 1, aligned_end_s=end_s) for at, end_s in enumerate(aligned_end_s)]
    made = segment(tokens, 0.0, 4.0, limit_s=4, words=True)
    assert made is not None
    return [(word.start_s, word.end_s) for word in made.words]


@pytest.mark.parametrize(
    ("aligned_end_s", "borders_s"),
    [
        ((0.8, 2.2, 3.1, 3.9), [0.0, 0.8, 2.2, 3.1, 3.9]),
        ((0.8, 2.2, 2.2, 3.9), [0.0, 0.8, 2.0, 3.0, 3.9]),  # the third is skipped: its neighbours' borders go too
        ((0.8, 2.2, 2.1, 3.9), [0.0, 0.8, 2.0, 3.0, 3.9]),
        ((0.0, 2.2, 3.1, 3.9), [0.0, 1.0, 2.2, 3.1, 3.9]),
        ((0.8, 2.6, 3.1, 3.9), [0.0, 0.8, 2.0, 3.1, 3.9]),  # too far from its tokens
        ((0.8, 2.5, 3.1, 3.9), [0.0, 0.8, 2.5, 3.1, 3.9]),
        ((0.1, 0.2, 0.3, 0.4), [0.0, 1.0, 2.0, 3.0, 4.0]),
    ],
)
def test_where_alignment_went_astray_tokens_stand_in(aligned_end_s: tuple[float, ...], borders_s: list[float]) -> None:
    assert spoken(*aligned_end_s) == list(itertools.pairwise(borders_s))


def test_a_word_between_an_aligned_border_and_one_of_tokens_keeps_its_length() -> None:
    words = zip((" a", " b", " c"), (0.7, 1.2, 1.4), strict=True)  # the second is too far off, behind one that is not
    tokens = [token(text, at * 0.3, at * 0.3 + 0.3, aligned_end_s=end_s) for at, (text, end_s) in enumerate(words)]
    made = segment(tokens, 0.0, 0.9, limit_s=2, words=True)
    assert made is not None
    assert [(word.start_s, word.end_s) for word in made.words] == [(0.0, 0.3), (0.3, 0.6), (0.6, 0.9)]


def test_where_one_token_is_not_aligned_none_is_taken_for_it() -> None:
    plain = [token(" one", 0.0, 1.0), token(" two", 1.0, 2.0)]
    half = [token(" one", 0.0, 1.0, aligned_end_s=0.2), token(" two", 1.0, 2.0)]
    assert segment(half, 0.0, 2.0, limit_s=2, words=True) == segment(plain, 0.0, 2.0, limit_s=2, words=True)


@given(
    TEXTS,
    st.lists(st.integers(1, 6), max_size=20),
    st.lists(st.tuples(TIMES, TIMES, TIMES), min_size=60, max_size=60),
    st.sampled_from(["all", "none", "some"]),
    st.tuples(TIMES, TIMES),
)
def test_any_tokens(
    text: str, sizes: list[int], times: list[tuple[float, float, float]], aligned: str, bounds_s: tuple[float, float]
) -> None:
    data = text.encode()
    tokens: list[Token] = []
    while data:
        size = sizes[len(tokens) % len(sizes)] if sizes else 3
        first_s, last_s, aligned_s = times[len(tokens) % len(times)]
        has = aligned == "all" or (aligned == "some" and aligned_s > 0)
        tokens.append(token(data[:size], first_s, last_s, aligned_end_s=aligned_s if has else None))
        data = data[size:]
    made = segment(tokens, *bounds_s, limit_s=30.0, words=True)
    if made is None:
        assert not text.strip()
        return
    assert made.text == text.strip()
    assert "".join("".join(word.text for word in made.words).split()) == "".join(text.split())
    at = made.start_s
    for word in made.words:
        assert at <= word.start_s <= word.end_s <= made.end_s
        at = word.end_s
    assert 0 <= made.start_s <= made.end_s <= 30


@pytest.mark.parametrize("times", ["tokens", "dtw"])
def test_times_are_near_the_true_ones_and_nearer_than_equal_division(
    times: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHISPERCORE_WORD_TIMES", times)
    minute = write_wav(tmp_path / "minute.wav", samples("talk.wav")[: 60 * 16_000])
    transcript = whispercore.transcribe(minute, model="micro", language="en", words=True)
    assert transcript.fingerprint.word_times == times
    heard = transcript.segments
    said = [
        (one["text"], one["start_s"])
        for spoken in cast("list[dict[str, Any]]", truth()["talk.wav"]["segments"])
        for one in spoken["words"]
    ]
    words = [
        (word, one.start_s + (one.end_s - one.start_s) * number / len(one.words))
        for one in heard
        for number, word in enumerate(one.words)
    ]
    pairing = difflib.SequenceMatcher(None, [text for text, _ in said], [word.text.lower() for word, _ in words])
    pairs = [
        (block.a + number, block.b + number) for block in pairing.get_matching_blocks() for number in range(block.size)
    ]
    assert len(pairs) >= 60
    ours = [abs(words[mine][0].start_s - said[true][1]) for true, mine in pairs]
    divided = [abs(words[mine][1] - said[true][1]) for true, mine in pairs]
    assert median(ours) <= 0.15
    assert median(ours) < median(divided)
