"""Which language a recording is in, by what several windows say together."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path

import pytest
from attrs import define, field

import whispercore
from tests.speech import in_languages, truth, word_errors
from whispercore.detection import EachWindow, Language, combined, detectable, likeliest, likely_languages
from whispercore.engines.capabilities import Capabilities
from whispercore.engines.engine import Control, DetectedLanguage, Options, Window
from whispercore.errors import InvalidOption
from whispercore.spoken import LikelyLanguage
from whispercore.testing import ScriptedEngine
from whispercore.transcript import Segment


def seen(probabilities: Mapping[str, float]) -> DetectedLanguage:
    code = max(probabilities, key=lambda name: probabilities[name])
    return DetectedLanguage(code=code, probability=probabilities[code], probabilities=probabilities)


def test_several_windows_are_heard_together() -> None:
    """None of them is sure of German, and all find it likely; one is nearly sure of something else."""
    windows = [seen({"de": 0.4, "nl": 0.45}), seen({"de": 0.4, "en": 0.42}), seen({"de": 0.4, "la": 0.49})]
    found = combined(windows, ())
    assert found.code == "de"
    assert found.probability == pytest.approx(0.4)


def test_what_is_not_allowed_does_not_count() -> None:
    found = combined([seen({"cy": 0.9, "en": 0.06, "de": 0.02})], ("de", "en"))
    assert found.code == "en"
    assert found.probability == pytest.approx(0.75)


@pytest.mark.parametrize("one", [DetectedLanguage(code="cy", probability=1.0), seen({"cy": 0.9, "en": 0.0, "de": 0.0})])
def test_where_none_of_the_allowed_is_heard_it_is_the_first(one: DetectedLanguage) -> None:
    found = combined([one], ("de", "en"))
    assert (found.code, found.probability) == ("de", 0.0)


def test_an_engine_may_tell_only_the_likeliest() -> None:
    windows = [DetectedLanguage(code="fr", probability=1.0), DetectedLanguage(code="de", probability=0.5)]
    found = combined(windows, ())
    assert (found.code, found.probability) == ("fr", 0.5)
    assert likely_languages(windows[0]) == (LikelyLanguage(code="fr", probability=1.0),)


def test_the_likeliest_are_told_by_all_windows_together() -> None:
    many = dict.fromkeys(("cy", "da", "fi", "it", "sv"), 0.01)
    found = combined([seen({"en": 0.2, "de": 0.6, **many}), seen({"en": 0.4, "de": 0.3, "nl": 0.2, **many})], ())
    told = [(one.code, one.probability) for one in likely_languages(found)]
    assert told[:3] == [("de", 0.45), ("en", 0.3), ("nl", 0.1)]
    assert [chance for _, chance in told[3:]] == [0.01, 0.01]
    allowed = combined([seen({"en": 0.2, "de": 0.6})], ("en", "de", "fr"))
    assert [(one.code, one.probability) for one in likely_languages(allowed)] == [("de", 0.75), ("en", 0.25), ("fr", 0)]


def test_a_window_that_has_not_come_yet_is_waited_for_step_by_step() -> None:
    window = Window(index=0, start_s=0.0, samples=b"")
    held: list[Window] = []

    def look(_: Window) -> Generator[list[Segment], None, DetectedLanguage]:
        yield from ()
        return seen({"de": 0.9})

    steps = likeliest(iter((None, None, window, None)), held, look, ())
    assert [next(steps), next(steps)] == [[], []]
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert (end.value.value.code, end.value.value.probability) == ("de", 0.9)
    assert held == [window]


def test_what_the_model_does_not_know_is_not_looked_for() -> None:
    assert detectable(("de", "en"), {"en", "fr"}) == ("en",)
    assert detectable((), {"en"}) == ()
    with pytest.raises(InvalidOption, match="none of de, fr"):
        detectable(("de", "fr"), {"en"})


@pytest.mark.parametrize("given", ["de, English,DE", ["de", "english"], ("german", "en", "de")])
def test_languages_are_codes(given: list[str] | str) -> None:
    assert Options(languages=given).languages == ("de", "en")


@pytest.mark.parametrize(
    "wrong", [{"languages": "de,klingon"}, {"languages": ","}, {"languages": "de", "language": "de"}]
)
def test_languages_that_cannot_be(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidOption) as caught:
        Options(**wrong)  # type: ignore[arg-type]
    assert caught.value.option == "languages"


def test_only_what_is_allowed_is_found(audio: Path) -> None:
    """With the real engine: German that may not be German is heard as one of the others."""
    path = audio / "clip13-de.wav"
    alone = whispercore.transcribe(path, model="micro", languages=["de", "fr"])
    assert alone.language == "de"
    assert alone.language_probability is not None
    assert alone.language_probability > 0.9
    assert [one.code for one in alone.likely_languages] == ["de", "fr"]
    assert alone.likely_languages[0].probability == pytest.approx(alone.language_probability, abs=1e-4)
    assert sum(one.probability for one in alone.likely_languages) == pytest.approx(1, abs=1e-3)
    other = whispercore.transcribe(path, model="micro", languages="es,french")
    assert other.language in ("es", "fr")
    assert other.language_probability is not None
    one = whispercore.transcribe(path, model="micro", languages=["de"])
    assert (one.language, one.language_probability, one.likely_languages) == ("de", None, ())
    assert one.text == alone.text


# ------------------------------------------------------------ each window by itself


@define(eq=False)
class Hears:
    """An engine that hears what a test says, and notes in which language it is to decode."""

    heard: DetectedLanguage
    scripted: ScriptedEngine = field(factory=ScriptedEngine)

    def __getattr__(self, name: str) -> object:
        return getattr(self.scripted, name)

    def detect_language(self, window: Window, control: Control) -> DetectedLanguage:
        del window, control
        return self.heard


WINDOW = Window(index=3, start_s=30.0, samples=bytes(4 * 16_000))


def decoded(
    heard: DetectedLanguage, recording: Language, **options: object
) -> tuple[str | None, str | None, float | None]:
    """The language that a window is decoded in, and what its segment says of it."""
    engine = Hears(heard)
    asked = Options(code_switching=True, **options)  # type: ignore[arg-type]
    (segment,) = EachWindow(recording)(engine, WINDOW, asked, Control()).segments  # type: ignore[arg-type]
    ((_, given),) = engine.scripted.calls
    assert (given.languages, given.code_switching) == ((), False), "that is for who detects"
    return given.language, segment.language, segment.language_probability


def test_a_window_is_decoded_in_its_own_language() -> None:
    assert decoded(seen({"de": 0.7, "en": 0.2}), Language("en", 0.9)) == ("de", "de", 0.7)


def test_what_is_not_allowed_is_not_found_in_a_window_either() -> None:
    heard = seen({"nl": 0.7, "de": 0.2, "en": 0.05})
    assert decoded(heard, Language("en", 0.9), languages="de,en") == ("de", "de", 0.8)


def test_an_unclear_window_is_heard_together_with_the_recording() -> None:
    assert decoded(seen({"de": 0.4, "en": 0.3}), Language("en", 0.9)) == ("en", "en", 0.6)
    assert decoded(seen({"de": 0.4, "en": 0.1}), Language("en", 0.2))[1] == "de"


def test_where_there_is_nothing_to_detect_it_is_that_of_the_recording() -> None:
    assert decoded(seen({"de": 0.9}), Language("fr", None)) == ("fr", "fr", None)


def test_an_engine_that_cannot_detect_goes_on_in_that_of_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    can = Capabilities(max_window_s=30.0)
    monkeypatch.setattr(ScriptedEngine, "capabilities", property(lambda _: can))
    assert decoded(seen({"de": 0.9}), Language("fr", 0.8))[0] == "fr"


def test_a_language_that_is_named_does_not_change() -> None:
    with pytest.raises(InvalidOption) as caught:
        Options(language="de", code_switching=True)
    assert caught.value.option == "code_switching"


MIXED = ("clip05-en.wav", "clip13-de.wav", "clip17-es.wav", "clip21-fr.wav", "clip08-en.wav")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five sentences in four languages."""
    return in_languages(tmp_path_factory.mktemp("mixed") / "mixed.wav", *MIXED)


def test_each_stretch_of_speech_is_in_its_own_language(mixed: Path) -> None:
    """With the real engine, which hears German, Spanish and French as English where the language is decided once."""
    found = whispercore.transcribe(mixed, model="micro", code_switching=True)
    assert [one.language for one in found.segments] == ["en", "de", "es", "fr", "en"]
    for name, segment in zip(MIXED, found.segments, strict=True):
        assert word_errors(str(truth()[name]["text"]), segment.text) <= 0.2
        assert segment.language_probability is not None
        assert 0.5 <= segment.language_probability <= 1
    assert {one.code for one in found.languages} == {"en", "de", "es", "fr"}
    assert sum(one.share for one in found.languages) == pytest.approx(1, abs=0.001)
    longest = found.languages[0]
    assert longest.code == found.language == "en"
    assert found.language_probability == longest.probability
    assert longest.speaks_s == pytest.approx(sum(one.end_s - one.start_s for one in found.segments[::4]), abs=0.01)
    once = whispercore.transcribe(mixed, model="micro")
    assert once.languages == ()
    assert {one.language for one in once.segments} == {None}


def test_only_what_is_allowed_is_found_in_each(mixed: Path) -> None:
    found = whispercore.transcribe(mixed, model="micro", languages="de,en", code_switching=True)
    assert {one.code for one in found.languages} == {"de", "en"}
    assert [found.segments[at].language for at in (0, 1, -1)] == ["en", "de", "en"]


def test_without_voice_activity_it_is_every_ten_seconds(tmp_path: Path) -> None:
    names = ("clip12-en.wav", "clip05-en.wav", "clip14-de.wav", "clip15-de.wav", "clip13-de.wav")
    path = in_languages(tmp_path / "mixed.wav", *names, pause_s=0.6)
    found = whispercore.transcribe(path, model="micro", languages="de,en", code_switching=True, vad=False)
    assert found.fingerprint.window_s == 10.0
    assert [one.language for one in (found.segments[0], found.segments[-1])] == ["en", "de"]
