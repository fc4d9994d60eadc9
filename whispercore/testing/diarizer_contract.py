"""What every diarizer must do. Subclass it and give it the fixtures ``diarizer`` and ``recording``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from whispercore.engines.engine import Control, Window
from whispercore.errors import Cancelled
from whispercore.speakers.diarizer import Diarizer, Turn


class DiarizerContract:
    """The contract of ``whispercore.speakers.diarizer.Diarizer``.

    Fixtures to give: ``diarizer``, and ``recording``, windows that follow each other and in which the diarizer hears
    two people, each of them for some seconds.
    """

    def test_two_people_are_heard(self, diarizer: Diarizer, recording: Sequence[Window]) -> None:
        """In order of time, inside the recording, and numbered as they begin."""
        turns = self.hear(diarizer, recording)
        assert {turn.speaker for turn in turns} == {0, 1}
        assert list(dict.fromkeys(turn.speaker for turn in turns)) == [0, 1]
        assert [turn.start_s for turn in turns] == sorted(turn.start_s for turn in turns)
        assert all(0 <= turn.start_s < turn.end_s <= recording[-1].end_s + 1e-6 for turn in turns)

    def test_it_can_be_told_how_many_there_are(self, diarizer: Diarizer, recording: Sequence[Window]) -> None:
        """Of one person all turns are his."""
        assert {turn.speaker for turn in self.hear(diarizer, recording, speakers=1)} == {0}
        assert {turn.speaker for turn in self.hear(diarizer, recording, speakers=2)} == {0, 1}

    def test_preparing_twice_is_preparing_once(self, diarizer: Diarizer, recording: Sequence[Window]) -> None:
        """The second call changes nothing, and nothing is missing then."""
        diarizer.prepare()
        diarizer.prepare()
        assert diarizer.missing == ()
        assert self.hear(diarizer, recording)

    def test_the_same_sound_gives_the_same_turns(self, diarizer: Diarizer, recording: Sequence[Window]) -> None:
        """Also side by side."""
        first = self.hear(diarizer, recording)
        with ThreadPoolExecutor(2) as threads:
            again = list(threads.map(lambda _: self.hear(diarizer, recording), range(2)))
        assert again == [first, first]

    def test_no_sound_has_no_turns(self, diarizer: Diarizer) -> None:
        """It is an answer, not an error."""
        assert self.hear(diarizer, ()) == ()

    def test_silence_has_no_turns(self, diarizer: Diarizer) -> None:
        """Neither has sound of almost no length."""
        for n_samples in (1, 100, 16_000):
            turns = self.hear(diarizer, [Window(index=0, start_s=0.0, samples=bytes(4 * n_samples))])
            assert all(turn.end_s <= n_samples / 16_000 for turn in turns)

    def test_progress_rises(self, diarizer: Diarizer, recording: Sequence[Window]) -> None:
        """In seconds of the recording, never back."""
        seen: list[float] = []
        diarizer.prepare()
        diarizer.diarize(iter(recording), speakers=None, control=Control(), on_heard=seen.append)
        assert seen
        assert seen == sorted(seen)
        assert 0 <= seen[0] <= seen[-1] <= recording[-1].end_s + 1e-6

    def test_cancelled_before_it_begins(self, diarizer: Diarizer, recording: Sequence[Window]) -> None:
        """Nothing is computed."""
        control = Control()
        control.cancel()
        with pytest.raises(Cancelled):
            diarizer.diarize(iter(recording), speakers=None, control=control)

    def test_cancelled_while_it_listens(self, diarizer: Diarizer, recording: Sequence[Window]) -> None:
        """It ends, and can be used again."""
        control = Control()

        def windows() -> Iterator[Window]:
            yield recording[0]
            control.cancel()
            yield from recording[1:]

        diarizer.prepare()
        with pytest.raises(Cancelled):
            diarizer.diarize(windows(), speakers=None, control=control)
        assert self.hear(diarizer, recording)

    def test_what_goes_wrong_with_the_sound_is_raised(self, diarizer: Diarizer, recording: Sequence[Window]) -> None:
        """As it is."""

        def windows() -> Iterator[Window]:
            yield recording[0]
            raise LookupError("the sound broke off")

        diarizer.prepare()
        with pytest.raises(LookupError, match="broke off"):
            diarizer.diarize(windows(), speakers=None, control=Control())

    @staticmethod
    def hear(diarizer: Diarizer, recording: Sequence[Window], *, speakers: int | None = None) -> tuple[Turn, ...]:
        """The turns of a recording."""
        diarizer.prepare()
        return diarizer.diarize(iter(recording), speakers=speakers, control=Control())
