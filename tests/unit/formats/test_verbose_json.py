from __future__ import annotations

import json
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.quality import Quality
from whispercore.transcript import Segment, Transcript, Word


def read(transcript: Transcript) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(transcript.to_verbose_json())
    return found


def test_the_names_are_those_of_openai(silence: Transcript) -> None:
    words = (Word(text="Hi", start_s=0.0, end_s=0.5),)
    quality = Quality(verdict="good", avg_logprob=-0.3, no_speech_prob=0.1, compression_ratio=0.8, repetition=0.0)
    hi = Segment(text="Hi", start_s=0.0, end_s=1.0, words=words, speaker="Ada", quality=quality)
    said = evolve(silence, segments=(hi,))
    assert read(said) == {
        "task": "transcribe",
        "language": "english",
        "duration": 9.0,
        "text": "Hi",
        "segments": [
            {
                "id": 0,
                "start": 0.0,
                "end": 1.0,
                "text": "Hi",
                "avg_logprob": -0.3,
                "compression_ratio": 0.8,
                "no_speech_prob": 0.1,
                "confidence": None,
                "speaker": "Ada",
                "channel": None,
            }
        ],
        "words": [{"word": "Hi", "start": 0.0, "end": 0.5, "confidence": None}],
    }
    assert "words" not in read(silence)


def test_languages_are_named_where_they_were_told_apart(silence: Transcript) -> None:
    said = (
        Segment(text="Hi", start_s=0.0, end_s=1.0, language="en"),
        Segment(text="Grüß Gott", start_s=1.0, end_s=4.0, language="de"),
    )
    found = read(evolve(silence, segments=said, language="de"))
    assert found["language"] == "german"
    assert found["languages"] == [{"language": "german", "share": 0.75}, {"language": "english", "share": 0.25}]
    assert [one["language"] for one in found["segments"]] == ["english", "german"]


@given(st.from_type(Transcript))
@settings(deadline=None, max_examples=50)
def test_all_text_comes_back(transcript: Transcript) -> None:
    found = read(transcript)
    assert found["text"] == transcript.text
    assert [(one["start"], one["end"], one["text"], one["speaker"]) for one in found["segments"]] == [
        (one.start_s, one.end_s, one.text, one.speaker) for one in transcript.segments
    ]
    assert [(one["word"], one["start"]) for one in found.get("words", [])] == [
        (word.text, word.start_s) for word in transcript.words
    ]
