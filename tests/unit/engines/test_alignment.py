"""Words of whisper.cpp that are aligned with the sound, and what would end its process meanwhile."""

from __future__ import annotations

import ctypes as C  # noqa: N812
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import attrs
import pytest

from tests.speech import samples, truth
from whispercore.engines.engine import Control, Decoded, Options, Window
from whispercore.engines.whispercpp.alignment import Guard, alignment_heads
from whispercore.engines.whispercpp.engine import WhisperCpp
from whispercore.models.catalogue import CATALOGUE

ALIGNED = Options(language="en", words=True, word_times="dtw")
SHAPES: Mapping[str, tuple[int, int]] = {
    "micro": (3, 2),
    "tiny": (4, 6),
    "base": (6, 8),
    "small": (12, 12),
    "medium": (24, 16),
    "large": (32, 20),
    "large-v3-turbo": (4, 20),
}
"""Layers of the decoder and heads of each, by the beginnings of names."""
CUT_FROM_S = 9.37
CUT_S = tuple(hundredths / 100 for hundredths in range(325, 335))
"""Lengths of ``talk.wav`` from there on. They end in the first tenth of a second of a sentence, and with one of them
whisper.cpp alone ends its process."""


@pytest.fixture(scope="module")
def engine(micro_path: Path) -> Iterator[WhisperCpp]:
    engine = WhisperCpp(micro_path, sha256="f" * 64, threads=1)
    engine.load()
    yield engine
    engine.unload()


def window(name: str, duration_s: float = 30.0, from_s: float = 0.0) -> Window:
    sound = samples(name)[round(from_s * 16_000) : round((from_s + duration_s) * 16_000)]
    return Window(index=0, start_s=0.0, samples=sound.tobytes())


def check(decoded: Decoded, duration_s: float) -> None:
    """Words never overlap, and lie in their segment."""
    for segment in decoded.segments:
        at = segment.start_s
        for word in segment.words:
            assert at <= word.start_s <= word.end_s <= segment.end_s
            at = word.end_s
        assert segment.end_s <= duration_s + 0.005


def known(path: str, shape: tuple[int, int], n_vocab: int) -> bool:
    n_text_layer, n_text_head = shape
    return alignment_heads(path, n_text_layer=n_text_layer, n_text_head=n_text_head, n_vocab=n_vocab) is not None


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_the_heads_of_published_models_are_known(name: str) -> None:
    shape = next(shape for start, shape in reversed(tuple(SHAPES.items())) if name.startswith(start))
    n_vocab = 51864 if ".en" in name else 51866 if "v3" in name else 51865
    here = not name.endswith("-tdrz")  # it was trained on, and nobody has said where its heads are
    assert known(f"/models/{name}.bin", shape, n_vocab) is here
    assert known(f"ggml-{name}.bin", shape, n_vocab) is here
    assert not known(f"/models/mine-{name}.bin", shape, n_vocab)
    assert not known(f"/models/{name}.bin", (shape[0] + 1, shape[1]), n_vocab)
    assert not known(f"/models/{name}.bin", shape, n_vocab + 1)


@pytest.mark.parametrize("name", ["clip02-en.wav", "clip14-de.wav", "clip17-es.wav", "clip20-fr.wav"])
def test_the_text_is_that_without_alignment(engine: WhisperCpp, name: str) -> None:
    options = attrs.evolve(ALIGNED, language=str(truth()[name]["language"]))
    (aligned,) = engine.decode([window(name)], options, Control())
    (plain,) = engine.decode([window(name)], attrs.evolve(options, word_times="tokens"), Control())
    check(aligned, window(name).duration_s)
    assert aligned.segments != plain.segments
    assert [(one.text, one.start_s, one.end_s) for one in aligned.segments] == [
        (one.text, one.start_s, one.end_s) for one in plain.segments
    ]


@pytest.mark.parametrize(
    "options",
    [
        attrs.evolve(ALIGNED, words=False),
        attrs.evolve(ALIGNED, translate=True, language="de"),
        attrs.evolve(ALIGNED, word_times="tokens"),
    ],
    ids=["no words", "a translation", "tokens"],
)
def test_who_has_no_use_for_it_does_not_pay_for_it(engine: WhisperCpp, options: Options) -> None:
    (decoded,) = engine.decode([window("clip01-en.wav")], options, Control())
    assert (decoded.parameters["dtw_token_timestamps"], decoded.parameters["flash_attn"]) == (False, True)


@pytest.mark.parametrize(
    "options",
    [
        attrs.evolve(ALIGNED, prompt="the teacher"),
        attrs.evolve(ALIGNED, beam_size=4),
        attrs.evolve(ALIGNED, temperature=0.8),
        attrs.evolve(ALIGNED, short_audio_context=True),
        attrs.evolve(ALIGNED, language=None),
    ],
    ids=["prompt", "beams", "temperature", "short context", "language"],
)
def test_it_goes_with_other_options(engine: WhisperCpp, options: Options) -> None:
    asked = window("clip01-en.wav")
    (decoded,) = engine.decode([asked], options, Control())
    assert decoded.parameters["dtw_token_timestamps"] is True
    assert any(segment.words for segment in decoded.segments)
    check(decoded, asked.duration_s)


@pytest.mark.parametrize("duration_s", [0.0, 0.01, 0.1, 0.15, 0.16, 0.2, 0.3])
def test_hardly_any_sound(engine: WhisperCpp, duration_s: float) -> None:
    (decoded,) = engine.decode([window("jfk.wav", duration_s)], ALIGNED, Control())
    check(decoded, duration_s)


@pytest.mark.parametrize("duration_s", CUT_S)
def test_a_rest_that_whisper_cpp_cannot_align(engine: WhisperCpp, duration_s: float) -> None:
    before = engine.pid
    (decoded,) = engine.decode([window("talk.wav", duration_s, CUT_FROM_S)], ALIGNED, Control())
    check(decoded, duration_s)
    assert decoded.segments[0].text == "the budget for march is one thousand"
    assert decoded.parameters["dtw_token_timestamps"] is True
    assert engine.pid == before


class NoAlignment(WhisperCpp):
    """One whose process dies of alignment."""

    service = "tests.unit.engines.dying_aligner"


def test_a_window_that_ends_the_process_gets_the_times_of_tokens(
    engine: WhisperCpp, micro_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = window("clip01-en.wav")
    fragile = NoAlignment(micro_path, sha256="f" * 64, threads=1)
    try:
        (decoded,) = fragile.decode([asked], ALIGNED, Control())
    finally:
        fragile.unload()
    assert [decoded] == engine.decode([asked], attrs.evolve(ALIGNED, word_times="tokens"), Control())
    assert "get the times of tokens" in caplog.text


def test_a_model_that_is_another_one_in_the_meantime_is_not_opened_again(
    micro_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "micro.bin"
    path.write_bytes(micro_path.read_bytes())
    engine = WhisperCpp(path, sha256="f" * 64, threads=1)
    engine.load()
    try:
        path.unlink()
        (decoded,) = engine.decode([window("clip01-en.wav")], ALIGNED, Control())
    finally:
        engine.unload()
    assert decoded.parameters["dtw_token_timestamps"] is False
    assert any(segment.words for segment in decoded.segments)
    assert "get the times of tokens" in caplog.text


def test_timestamps_that_would_end_a_stretch_too_early_are_never_chosen() -> None:
    class Library:
        @staticmethod
        def whisper_token_beg(_context: int) -> int:
            return 4

    guard = Guard(cast("C.CDLL", Library), 0, 0, single=False)
    logits = (C.c_float * 20)(*[1.0] * 20)
    cast("Any", guard.filter())(None, None, None, 0, C.addressof(logits), None)
    assert list(logits) == [1.0] * 5 + [-math.inf] * 7 + [1.0] * 8
