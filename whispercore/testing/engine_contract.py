"""What every engine must do. Subclass it and give it an ``engine`` fixture."""

from __future__ import annotations

import threading
from array import array
from concurrent.futures import ThreadPoolExecutor

import pytest

from whispercore.engines.engine import (
    SAMPLE_RATE,
    Control,
    DeclaresCapabilities,
    Decoded,
    Engine,
    Options,
    Window,
)
from whispercore.errors import Cancelled, InvalidOption
from whispercore.languages import LANGUAGES


class EngineContract:
    """The contract of ``whispercore.engines.engine.Engine``.

    Fixtures to give: ``engine``, unloaded, and, where silence has no words in it, ``speech``: 16 kHz float32 bytes of a
    few seconds in which the engine hears something.
    """

    @pytest.fixture
    def speech(self) -> bytes:
        """Sound in which the engine hears something."""
        return bytes(4 * SAMPLE_RATE * 2)

    def test_it_tells_what_it_can_do(self, engine: Engine) -> None:
        """Capabilities and fingerprint are known after loading."""
        engine.load()
        can = engine.capabilities
        assert can.slots >= 1
        assert can.batch >= 1
        assert can.languages
        assert engine.fingerprint.engine
        assert engine.fingerprint.threads >= 1

    def test_it_can_at_most_what_it_declares(self, engine: Engine) -> None:
        """Where it declares anything before a model is loaded; requests for more were refused by then."""
        can = engine.capabilities
        if isinstance(engine, DeclaresCapabilities):
            declared = engine.declared_capabilities
            assert set(can.options) <= set(declared.options)
            assert declared.words_of_translations or not can.words_of_translations
            assert declared.detects_language or not can.detects_language
            assert can.languages <= declared.languages

    def test_loading_twice_is_loading_once(self, engine: Engine) -> None:
        """The second call changes nothing."""
        engine.load()
        before = engine.fingerprint
        engine.load()
        assert before == engine.fingerprint

    def test_segments_lie_in_their_window_and_in_order(self, engine: Engine, speech: bytes) -> None:
        """Times count from the beginning of the recording, not of the window."""
        window = Window(index=3, start_s=100.0, samples=speech)
        (decoded,) = engine.decode([window], Options(language="en", words=True), Control())
        assert decoded.segments
        at = 100.0
        for segment in decoded.segments:
            assert at <= segment.start_s <= segment.end_s <= window.end_s + 1e-6
            at = segment.start_s
            inside = segment.start_s
            for word in segment.words:
                assert inside <= word.start_s <= word.end_s <= segment.end_s
                inside = word.end_s

    def test_words_come_when_asked_for(self, engine: Engine, speech: bytes) -> None:
        """And only then."""
        window = Window(index=0, start_s=0.0, samples=speech)
        (without,) = engine.decode([window], Options(language="en"), Control())
        assert not any(segment.words for segment in without.segments)
        if engine.capabilities.words:
            (having,) = engine.decode([window], Options(language="en", words=True), Control())
            spoken = " ".join(word.text for segment in having.segments for word in segment.words)
            assert spoken == " ".join(segment.text for segment in having.segments)

    def test_translations_lie_in_their_window(self, engine: Engine, speech: bytes) -> None:
        """Where it translates; with words, where they go together."""
        can = engine.capabilities
        if not can.translate:
            with pytest.raises(InvalidOption, match="translate"):
                can.check(Options(language="en", translate=True), "this one")
            return
        window = Window(index=0, start_s=5.0, samples=speech)
        asked = Options(language="en", translate=True, words=can.words_of_translations)
        (decoded,) = engine.decode([window], asked, Control())
        assert decoded.segments
        for segment in decoded.segments:
            assert 5.0 <= segment.start_s <= segment.end_s <= window.end_s + 1e-6
            assert bool(segment.words) == can.words_of_translations

    def test_a_prompt_is_taken_whatever_its_length(self, engine: Engine, speech: bytes) -> None:
        """Where it takes any; the text may differ, and what is too long is cut."""
        can = engine.capabilities
        options = Options(language="en", prompt="A word, and another one; " * 100)
        if can.prompt:
            assert len(engine.decode([Window(index=0, start_s=0.0, samples=speech)], options, Control())) == 1
        else:
            with pytest.raises(InvalidOption, match="prompt"):
                can.check(options, "this one")

    @pytest.mark.parametrize(
        ("name", "options"),
        [
            ("temperature", Options(language="en", temperature=0.8)),
            ("temperature_step", Options(language="en", temperature_step=0.0)),
            ("beam_size", Options(language="en", beam_size=3)),
        ],
        ids=lambda one: one if isinstance(one, str) else "",
    )
    def test_a_way_to_decode_is_followed_and_told_or_refused(
        self, engine: Engine, speech: bytes, name: str, options: Options
    ) -> None:
        """``parameters`` tells what the computation was called with."""
        can = engine.capabilities
        if name in can.options:
            window = Window(index=0, start_s=0.0, samples=speech)
            (decoded,) = engine.decode([window], options, Control())
            assert decoded.segments
            told = decoded.parameters[name]
            assert told is not None
            assert float(told) == pytest.approx(getattr(options, name))
        else:
            with pytest.raises(InvalidOption, match=name):
                can.check(options, "this one")

    def test_a_batch_is_heard_in_order(self, engine: Engine, speech: bytes) -> None:
        """As many windows as one call takes; each as it would be alone, but for the last bits of its figures."""
        windows = [
            Window(index=number, start_s=30.0 * number, samples=bytes(4 * SAMPLE_RATE) if number % 2 else speech)
            for number in range(min(3, engine.capabilities.batch))
        ]
        together = engine.decode(windows, Options(language="en"), Control())
        alone = [engine.decode([one], Options(language="en"), Control())[0] for one in windows]
        assert [_texts(one) for one in together] == [_texts(one) for one in alone]
        for window, one in zip(windows, together, strict=True):
            assert all(window.start_s <= segment.start_s <= window.end_s + 1e-6 for segment in one.segments)

    def test_languages_are_those_of_whisper(self, engine: Engine, speech: bytes) -> None:
        """Each that it knows may be named; another is refused."""
        can = engine.capabilities
        assert can.languages <= frozenset(LANGUAGES)
        code = min(can.languages, key=lambda code: (code not in ("de", "en"), code))
        window = Window(index=0, start_s=0.0, samples=speech)
        assert len(engine.decode([window], Options(language=code), Control())) == 1
        for code in sorted(frozenset(LANGUAGES) - can.languages)[:1]:
            with pytest.raises(InvalidOption, match="language"):
                can.check(Options(language=code), "this one")

    def test_the_same_window_gives_the_same_text(self, engine: Engine, speech: bytes) -> None:
        """Also side by side, and after others."""
        window = Window(index=0, start_s=0.0, samples=speech)
        noise = Window(index=1, start_s=0.0, samples=_noise(2.0))

        def decode(item: Window) -> Decoded:
            return engine.decode([item], Options(language="en"), Control())[0]

        first = decode(window)
        with ThreadPoolExecutor(engine.capabilities.slots) as threads:
            several = list(threads.map(decode, [noise, window, noise, window]))
        assert several[1].segments == several[3].segments == first.segments

    def test_confidence_is_a_probability(self, engine: Engine, speech: bytes) -> None:
        """0 to 1, or None."""
        window = Window(index=0, start_s=0.0, samples=speech)
        (decoded,) = engine.decode([window], Options(language="en"), Control())
        assert all(segment.confidence is None or 0 <= segment.confidence <= 1 for segment in decoded.segments)

    def test_progress_rises_to_the_end(self, engine: Engine, speech: bytes) -> None:
        """From 0 to 1, never back."""
        seen: list[float] = []
        engine.decode([Window(index=0, start_s=0.0, samples=speech)], Options(language="en"), Control(seen.append))
        assert seen == sorted(seen)
        assert seen
        assert 0 <= seen[0] <= seen[-1] <= 1

    def test_the_language_is_told_with_its_probability(self, engine: Engine, speech: bytes) -> None:
        """Where the engine can."""
        engine.load()
        if engine.capabilities.detects_language:
            found = engine.detect_language(Window(index=0, start_s=0.0, samples=speech), Control())
            assert found.code in engine.capabilities.languages
            assert 0 <= found.probability <= 1

    def test_cancelled_before_it_begins(self, engine: Engine, speech: bytes) -> None:
        """Nothing is computed."""
        control = Control()
        control.cancel()
        with pytest.raises(Cancelled):
            engine.decode([Window(index=0, start_s=0.0, samples=speech)], Options(language="en"), control)

    def test_it_can_be_used_after_a_cancellation(self, engine: Engine, speech: bytes) -> None:
        """Whenever that came."""
        control = Control()
        window = Window(index=0, start_s=0.0, samples=speech)
        timer = threading.Timer(0.02, control.cancel)
        timer.start()
        try:
            engine.decode([window], Options(language="en"), control)
        except Cancelled:
            pass
        finally:
            timer.cancel()
        assert engine.decode([window], Options(language="en"), Control())[0].segments

    def test_sound_of_almost_no_length(self, engine: Engine) -> None:
        """It is an answer, not an error: a recording may end just behind a cut."""
        for n_samples in (1, 100, 1599):
            window = Window(index=0, start_s=7.0, samples=bytes(4 * n_samples))
            (decoded,) = engine.decode([window], Options(language="en"), Control())
            assert all(7.0 <= segment.start_s <= segment.end_s <= 7.2 for segment in decoded.segments)

    def test_unloading_and_using_it_again(self, engine: Engine, speech: bytes) -> None:
        """Unloading gives everything back, and is no end."""
        window = Window(index=0, start_s=0.0, samples=speech)
        first = engine.decode([window], Options(language="en"), Control())
        engine.unload()
        engine.unload()
        again = engine.decode([window], Options(language="en"), Control())
        assert first[0].segments == again[0].segments
        engine.unload()


def _texts(decoded: Decoded) -> list[str]:
    return [segment.text for segment in decoded.segments]


def _noise(seconds: float) -> bytes:
    """Loud noise that is the same everywhere (a linear congruential generator)."""
    state, values = 1, array("f")
    for _ in range(round(seconds * SAMPLE_RATE)):
        state = (1103515245 * state + 12345) & 0x7FFFFFFF
        values.append(state / 0x3FFFFFFF - 1.0)
    return values.tobytes()
