"""What engines declare, and what is refused of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from attrs import evolve

import whispercore
from tests.speech import AUDIO
from whispercore.engines.capabilities import Capabilities
from whispercore.engines.engine import Control, Decoded, Options, Window
from whispercore.engines.pool import EnginePool, check_declared
from whispercore.errors import InvalidOption
from whispercore.testing import ScriptedEngine
from whispercore.testing.scripted import EVERYTHING

NOTHING = Capabilities(max_window_s=30.0)


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        (Options(language="en", words=True), "words"),
        (Options(language="en", translate=True), "translate"),
        (Options(language="en", prompt="Zoë"), "prompt"),
        (Options(language="en", temperature=0.1), "temperature"),
        (Options(language="en", temperature_step=0.0), "temperature_step"),
        (Options(language="en", beam_size=2), "beam_size"),
        (Options(code_switching=True), "code_switching"),
        (Options(languages=("en", "de")), "languages"),
        (Options(), "language"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_is_not_declared_is_refused(asked: Options, refused: str) -> None:
    with pytest.raises(InvalidOption, match="the engine parrot") as caught:
        NOTHING.check(asked, "parrot")
    assert caught.value.option == refused
    EVERYTHING.check(asked, "parrot")


def test_what_nobody_asked_for_is_not_refused() -> None:
    NOTHING.check(Options(language="en"), "parrot")
    NOTHING.check(Options(languages=("en",)), "parrot")
    evolve(NOTHING, languages=frozenset({"en"})).check(Options(), "parrot")


def test_languages_that_it_does_not_know_are_refused() -> None:
    with pytest.raises(InvalidOption, match="does not know 'de', only en"):
        evolve(EVERYTHING, languages=frozenset({"en"})).check(Options(language="de"), "parrot")


def test_words_of_translations_are_declared_by_themselves() -> None:
    can = evolve(EVERYTHING, words_of_translations=False)
    can.check(Options(language="de", words=True), "parrot")
    with pytest.raises(InvalidOption, match=r"words: .* together with translate"):
        can.check(Options(language="de", words=True, translate=True), "parrot")


@pytest.mark.parametrize(
    ("engine", "options"),
    [
        ("openai", Options(beam_size=5)),
        ("openai", Options(temperature_step=0.1)),
        ("openai", Options(words=True, translate=True)),
    ],
)
def test_engines_declare_before_they_are_loaded(engine: str, options: Options) -> None:
    with pytest.raises(InvalidOption, match="the engine openai cannot"):
        check_declared(options, engine)
    for other in ("whisper-cpp", "faster-whisper"):
        check_declared(options, other)


@pytest.mark.parametrize(
    ("name", "prompt", "conditions"), [("prompt", "Zoë", False), ("condition_on_previous_text", None, True)]
)
def test_nothing_is_computed_of_what_is_refused(
    micro_path: Path, name: str, prompt: str | None, *, conditions: bool
) -> None:
    engine = ScriptedEngine(can=evolve(EVERYTHING, prompt=False))
    with EnginePool(find=lambda _: engine) as pool:
        work = whispercore.stream(
            AUDIO / "clip01-en.wav",
            model=micro_path,
            language="en",
            prompt=prompt,
            condition_on_previous_text=conditions,
            pool=pool,
        )
        with pytest.raises(InvalidOption, match=f"{name}: the engine whisper-cpp"):
            work.run()
    assert not engine.calls


def test_a_fallback_is_asked_for_no_less() -> None:
    can = ScriptedEngine()
    cannot = ScriptedEngine(can=evolve(EVERYTHING, beam_size=False))
    with EnginePool(find=lambda name: can if name == "whisper-cpp" else cannot) as pool:
        work = whispercore.stream(
            AUDIO / "clip01-en.wav", model="micro", fallback=["other:micro"], beam_size=4, language="en", pool=pool
        )
        with pytest.raises(InvalidOption, match="beam_size: the engine other cannot"):
            work.run()


def test_words_that_do_not_come_are_an_error(micro_path: Path) -> None:
    """What a server gives is known only once it was asked."""

    class Wordless(ScriptedEngine):
        def decode(self, windows: Sequence[Window], options: Options, control: Control) -> list[Decoded]:
            return super().decode(windows, evolve(options, words=False), control)

    with EnginePool(find=lambda _: Wordless()) as pool:
        work = whispercore.stream(AUDIO / "clip01-en.wav", model=micro_path, language="en", words=True, pool=pool)
        with pytest.raises(InvalidOption, match="words: the engine whisper-cpp gives none"):
            work.run()
