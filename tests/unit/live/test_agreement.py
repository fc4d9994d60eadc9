"""Words on their way to be settled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from whispercore.live.agreement import Agreement
from whispercore.transcript import Word


def words(text: str, *, start_s: float = 0.0) -> tuple[Word, ...]:
    """A word each half second."""
    return tuple(
        Word(text=one, start_s=start_s + place / 2, end_s=start_s + (place + 1) / 2)
        for place, one in enumerate(text.split())
    )


def text(heard: tuple[Word, ...]) -> str:
    return " ".join(word.text for word in heard)


def test_what_two_passes_agree_on_is_settled() -> None:
    agreement = Agreement()
    assert text(agreement.hear(words("the quick brow"), 1.5)) == "the quick brow"
    assert agreement.stable == ()
    assert text(agreement.hear(words("the quick brown fox jump"), 2.5)) == "the quick brown fox jump"
    assert text(agreement.stable) == "the quick"
    assert text(agreement.hear(words("the quick brown fox jumps over"), 3.0)) == "the quick brown fox jumps over"
    assert text(agreement.stable) == "the quick brown fox"


def test_the_edge_of_what_was_heard_is_not_settled() -> None:
    agreement = Agreement()
    agreement.hear(words("one two three"), 1.5)
    agreement.hear(words("one two three"), 1.5)
    assert text(agreement.stable) == "one two"


def test_what_is_settled_stays_whatever_is_heard_later() -> None:
    agreement = Agreement()
    for _ in range(2):
        agreement.hear(words("the quick brown fox"), 4.0)
    assert text(agreement.stable) == "the quick brown"
    assert text(agreement.hear(words("a quick brown fox jumps"), 5.0)) == "the quick brown fox jumps"
    assert text(agreement.hear(words("quick brown fox jumps"), 5.0)) == "the quick brown fox jumps"
    assert text(agreement.hear((), 5.0)) == "the quick brown"


def test_a_cut_leaves_what_is_behind_it_to_what_follows() -> None:
    agreement = Agreement()
    for _ in range(2):
        agreement.hear(words("one two three four five"), 9.0)
    rest = agreement.split(1.0)
    assert (text(agreement.stable), text(rest.stable)) == ("one two", "three four")


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c"]), max_size=6), max_size=8))
def test_the_stable_text_only_grows_and_begins_all_that_follows(passes: list[list[str]]) -> None:
    agreement, before = Agreement(), ""
    for number, heard in enumerate(passes):
        given_back = text(agreement.hear(words(" ".join(heard)), 2.0 + number))
        assert text(agreement.stable).startswith(before)
        before = text(agreement.stable)
        assert given_back.startswith(before)
