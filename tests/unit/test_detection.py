"""Which language a recording is in, by what several windows say together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import whispercore
from whispercore.detection import combined, detectable
from whispercore.engines.engine import DetectedLanguage, Options
from whispercore.errors import InvalidOption


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
    assert combined([one], ("de", "en")) == DetectedLanguage(code="de", probability=0.0)


def test_an_engine_may_tell_only_the_likeliest() -> None:
    windows = [DetectedLanguage(code="fr", probability=1.0), DetectedLanguage(code="de", probability=0.5)]
    assert combined(windows, ()) == DetectedLanguage(code="fr", probability=0.5)


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
    other = whispercore.transcribe(path, model="micro", languages="es,french")
    assert other.language in ("es", "fr")
    assert other.language_probability is not None
    one = whispercore.transcribe(path, model="micro", languages=["de"])
    assert (one.language, one.language_probability) == ("de", None)
    assert one.text == alone.text
