"""Options as they are frozen in a row."""

from __future__ import annotations

import json
from typing import Literal

import pytest

from whispercore.audio.vad import Vad
from whispercore.errors import InvalidOption
from whispercore.hallucinations import Hallucinations
from whispercore.tasks.options import VERSION, TranscribeOptions

ALL = TranscribeOptions(
    model="large-v3-turbo-q5_0",
    fallback=("openai:whisper-1", "micro"),
    languages=("de", "en"),
    code_switching=True,
    translate=True,
    prompt="Grüße",
    temperature=0.25,
    temperature_step=0.0,
    beam_size=5,
    words=True,
    channels="separate",
    diarize=True,
    diarizer="mine",
    keep_damaged=True,
    vad=Vad(detector="energy", min_silence_s=2.0),
    hallucinations=Hallucinations(policy="drop", cut_loops=True, condition_on_previous_text=True),
    engine="scripted",
    lane="interactive",
)


@pytest.mark.parametrize("options", [ALL, TranscribeOptions(model="micro"), TranscribeOptions(model="micro", vad=None)])
def test_there_and_back(options: TranscribeOptions) -> None:
    assert TranscribeOptions.load(options.dump(), VERSION) == options


def test_defaults_are_written_too() -> None:
    """They are frozen with the job, whatever later versions think."""
    assert json.loads(TranscribeOptions(model="micro").dump())["temperature_step"] == 0.2


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("language", "klingon"),
        ("languages", "de,klingon"),
        ("temperature", 1.5),
        ("temperature_step", -1.0),
        ("beam_size", 9),
        ("channels", "left"),
        ("prompt", "a\0b"),
        ("speakers", 2),
        ("fallback", ("micro", "../secret.bin")),
    ],
)
def test_what_no_engine_would_take(option: str, value: object) -> None:
    with pytest.raises(InvalidOption) as raised:
        TranscribeOptions(**{"model": "micro", option: value})  # type: ignore[arg-type]
    assert raised.value.option == option


@pytest.mark.parametrize(("channels", "speakers"), [("mix", 0), ("mix", 51), ("separate", 2)])
def test_speakers_that_make_no_sense(channels: Literal["mix", "separate"], speakers: int) -> None:
    with pytest.raises(InvalidOption) as raised:
        TranscribeOptions(model="micro", diarize=True, channels=channels, speakers=speakers)
    assert raised.value.option == "speakers"


@pytest.mark.parametrize(
    "model", ["", "../small", "/etc/passwd", "a/b", "x.bin", "~", ".hidden", "a" * 101, "small\n", "a\0b"]
)
def test_paths_are_no_models(model: str) -> None:
    with pytest.raises(InvalidOption, match="model"):
        TranscribeOptions(model=model)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"model": "micro", "colour": "red"}', '{"model": "micro", "beam_size": "x"}']
)
def test_what_is_no_options(text: str) -> None:
    with pytest.raises(InvalidOption, match="options"):
        TranscribeOptions.load(text, VERSION)


def test_another_version() -> None:
    with pytest.raises(InvalidOption, match="version 2 is not known"):
        TranscribeOptions.load(ALL.dump(), 2)
