"""Windows of speech: what is left out, what stays, and where it comes from."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sounds import RATE, Sound, music, noise, silence
from tests.speech import samples
from whispercore.audio.speech import SpeechCutter
from whispercore.audio.vad import DetectorName, Vad
from whispercore.audio.windows import Cut, Cutter
from whispercore.errors import InvalidOption


def cuts_of(sound: Sound, vad: Vad | None = None, sizes: Sequence[int] = (4096,), *, packed: bool = True) -> list[Cut]:
    cutter = SpeechCutter(RATE, 30.0, vad if vad is not None else Vad(), packed=packed)
    cuts: list[Cut] = []
    at = turn = 0
    while at < sound.size:
        size = sizes[turn % len(sizes)]
        cuts += cutter.push(sound[at : at + size])
        at += size
        turn += 1
    return cuts + cutter.finish()


def stretches_of(cut: Cut) -> tuple[tuple[int, int], ...]:
    return cut.stretches or ((cut.start_sample, cut.samples.size),)


def check_that_all_is_in_its_place(sound: Sound, cuts: Sequence[Cut]) -> None:
    """Each sample of a window is the one of the recording that its stretches name, and none is there twice."""
    reached = 0
    for cut in cuts:
        assert 0 < cut.samples.size <= 30 * RATE
        at = 0
        for start, length in stretches_of(cut):
            assert start >= reached
            assert length > 0
            assert np.array_equal(cut.samples[at : at + length], sound[start : start + length])
            reached, at = start + length, at + length
        assert at == cut.samples.size
    assert reached <= sound.size


@pytest.mark.parametrize("detector", ["silero", "energy"])
@pytest.mark.parametrize("sound", [silence(60), noise(60), noise(60, 0.003), silence(0.3)], ids=len)
def test_silence_and_noise_are_no_speech(detector: DetectorName, sound: Sound) -> None:
    assert cuts_of(sound, Vad(detector=detector)) == []


def test_music_is_no_speech() -> None:
    assert cuts_of(music(60)) == []


@pytest.mark.parametrize("detector", ["silero", "energy"])
def test_speech_between_silence_stays(detector: DetectorName) -> None:
    clip = samples("clip02-en.wav")
    sound = np.concatenate((silence(20), clip, silence(40), clip, silence(20)))
    cuts = cuts_of(sound, Vad(detector=detector))
    check_that_all_is_in_its_place(sound, cuts)
    (cut,) = cuts
    first, second = cut.stretches
    for (start, length), begin in ((first, 20 * RATE), (second, 60 * RATE + clip.size)):
        assert begin - 0.4 * RATE <= start <= begin + 0.4 * RATE
        assert start + length >= begin + 0.75 * clip.size
    assert cut.samples.size < 2 * (clip.size + RATE)


@pytest.mark.parametrize("detector", ["silero", "energy"])
def test_where_nothing_is_left_out_windows_are_the_usual_ones(detector: DetectorName) -> None:
    sound = samples("talk.wav")[: 70 * RATE]
    usual = Cutter(RATE)
    expected = usual.push(sound) + usual.finish()
    cuts = cuts_of(sound, Vad(detector=detector, min_silence_s=10.0))
    assert [(cut.start_sample, cut.samples.size, cut.stretches) for cut in cuts] == [
        (cut.start_sample, cut.samples.size, ()) for cut in expected
    ]


@pytest.mark.parametrize("sizes", [(4096,), (100_000,), (16_000, 1)], ids=str)
def test_windows_that_are_not_packed_end_with_their_stretch(sizes: Sequence[int]) -> None:
    clips = [samples(name) for name in ("clip05-en.wav", "clip13-de.wav", "clip08-en.wav")]
    sound = np.concatenate([part for clip in clips for part in (silence(2), clip)])
    together, apart = cuts_of(sound), cuts_of(sound, sizes=sizes, packed=False)
    assert len(together) == 1
    assert [cut.stretches for cut in apart] == [(), (), ()]
    assert [(cut.start_sample, cut.samples.size) for cut in apart] == list(together[0].stretches)
    check_that_all_is_in_its_place(sound, apart)


def test_a_window_goes_when_nobody_has_spoken_for_two_minutes() -> None:
    clip = samples("clip02-en.wav")
    sound = np.concatenate((clip, silence(130), clip, silence(110), clip))
    begin = clip.size
    cutter = SpeechCutter(RATE, 30.0, Vad(detector="energy"))
    assert cutter.push(sound[: begin + 110 * RATE]) == []
    (first,) = cutter.push(sound[begin + 110 * RATE : begin + 130 * RATE])
    assert cutter.push(sound[begin + 130 * RATE :]) == [], "less than that is packed over"
    (second,) = cutter.finish()
    assert (len(stretches_of(first)), len(stretches_of(second))) == (1, 2)
    check_that_all_is_in_its_place(sound, [first, second])


def test_a_voice_behind_noise_is_found() -> None:
    clip = samples("clip02-en.wav")
    sound = noise(40, 0.01)
    sound[20 * RATE : 20 * RATE + clip.size] += clip
    (cut,) = cuts_of(sound)
    start = stretches_of(cut)[0][0]
    assert 19 * RATE < start < 21 * RATE
    assert cut.samples.size < clip.size + RATE


@given(
    st.lists(st.tuples(st.sampled_from(("voice", "silence", "noise")), st.floats(0.05, 8.0)), min_size=1, max_size=8),
    st.lists(st.integers(1, 50_000), min_size=1, max_size=5),
    st.builds(
        Vad,
        detector=st.just("energy"),
        min_silence_s=st.floats(0.5, 3.0),
        pad_s=st.floats(0.0, 0.5),
        min_speech_s=st.floats(0.0, 0.5),
    ),
    st.sampled_from((2.0, 120.0)),
)
def test_the_same_samples_give_the_same_windows_however_they_arrive(
    parts: list[tuple[str, float]], sizes: list[int], vad: Vad, let_go_s: float
) -> None:
    makers: dict[str, Callable[[float], Sound]] = {
        "voice": lambda seconds: samples("talk.wav")[: round(seconds * RATE)],
        "silence": silence,
        "noise": lambda seconds: noise(seconds, 0.002),
    }
    sound = np.concatenate([makers[kind](seconds) for kind, seconds in parts])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("whispercore.audio.speech._LET_GO_S", let_go_s)
        cuts = cuts_of(sound, vad, sizes)
        again = cuts_of(sound, vad, (sound.size,))
    check_that_all_is_in_its_place(sound, cuts)
    assert [stretches_of(cut) for cut in cuts] == [stretches_of(cut) for cut in again]


def test_of_a_long_stream_a_window_and_a_few_seconds_are_held() -> None:
    """However long it is; ten hours are a benchmark."""
    cutter = SpeechCutter(RATE, 30.0, Vad(detector="energy"))
    minute = np.concatenate((samples("clip02-en.wav"), silence(30), noise(30)))[: 60 * RATE]
    for _ in range(20):
        for second in np.split(minute, 60):
            cutter.push(second)
        assert len(pickle.dumps(cutter)) < (30 + 12) * RATE * 4


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"threshold": 1.5}, "vad_threshold"),
        ({"min_silence_s": -1}, "vad_min_silence_s"),
        ({"pad_s": 3.0}, "vad_pad_s"),
        ({"pad_s": float("nan")}, "vad_pad_s"),
        ({"detector": "ears"}, "vad_detector"),
    ],
)
def test_options_that_cannot_work(options: dict[str, object], name: str) -> None:
    with pytest.raises(InvalidOption) as error:
        Vad(**options)  # type: ignore[arg-type]
    assert error.value.option == name
