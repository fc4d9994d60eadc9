from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.errors import InvalidOption
from whispercore.formats.json import read, write
from whispercore.formats.options import JsonOptions
from whispercore.spoken import LikelyLanguage
from whispercore.transcript import Damage, Segment, Transcript, Word

Edit = Callable[[dict[str, Any]], object]


@given(st.from_type(Transcript))
@settings(deadline=None)
def test_what_is_read_is_what_was_written(transcript: Transcript) -> None:
    assert read(write(transcript)) == transcript


@given(st.from_type(Transcript))
@settings(deadline=None)
def test_other_parsers_find_all_fields(transcript: Transcript) -> None:
    document = json.loads(write(transcript))
    assert document["text"] == transcript.text
    assert [segment["text"] for segment in document["segments"]] == [segment.text for segment in transcript.segments]
    assert [segment["start_s"] for segment in document["segments"]] == [s.start_s for s in transcript.segments]


def test_people_can_read_it(silence: Transcript) -> None:
    written = write(evolve(silence, segments=(Segment(text="שלום", start_s=0.0, end_s=1.0),)))
    assert written.startswith(
        '{\n  "text": "שלום",\n  "no_speech": false,\n  "segments": [\n    {\n      "text": "שלום",\n'
    )
    assert written.endswith("\n}\n")


def test_languages_are_on_top_and_not_read(silence: Transcript) -> None:
    said = Segment(text="Hi", start_s=0.0, end_s=2.0, language="en", language_probability=0.75)
    transcript = evolve(silence, segments=(said,))
    document = json.loads(write(transcript))
    assert document["languages"] == [{"code": "en", "share": 1.0, "speaks_s": 2.0, "probability": 0.75}]
    assert read(write(transcript)) == transcript
    assert "languages" not in json.loads(write(silence))


def test_sentences_and_paragraphs_are_on_top_where_they_are_wanted(silence: Transcript) -> None:
    said = (
        Segment(text="Good morning. How", start_s=0.0, end_s=2.0, speaker="Zoë", channel=1),
        Segment(text="are you?", start_s=2.0, end_s=3.0, speaker="Zoë", channel=1),
        Segment(text="Well.", start_s=3.5, end_s=4.0, speaker="b\udcff"),
    )
    transcript = evolve(silence, segments=said)
    written = write(transcript, JsonOptions(paragraphs=True))
    first, second = json.loads(written)["paragraphs"]
    assert (first["start_s"], first["end_s"], first["speaker"]) == (0.0, 3.0, "Zoë")
    assert first["text"] == "Good morning. How are you?"
    assert [one["text"] for one in first["sentences"]] == ["Good morning.", "How are you?"]
    assert [(one["speaker"], one["channel"]) for one in first["sentences"]] == [("Zoë", 1), ("Zoë", 1)]
    assert (second["text"], second["speaker"]) == ("Well.", "b\ufffd")
    assert read(written) == read(write(transcript))
    assert "paragraphs" not in json.loads(write(transcript))


def test_the_likeliest_languages_come_back_and_may_be_missing(silence: Transcript) -> None:
    """What was written before they were has none."""
    likely = (LikelyLanguage(code="de", probability=0.75), LikelyLanguage(code="nl", probability=0.125))
    transcript = evolve(silence, likely_languages=likely)
    document = json.loads(write(transcript))
    assert document["likely_languages"] == [{"code": "de", "probability": 0.75}, {"code": "nl", "probability": 0.125}]
    assert read(write(transcript)) == transcript
    del document["likely_languages"]
    assert read(json.dumps(document)) == silence


def test_lone_surrogates_are_replaced_wherever_they_are(silence: Transcript) -> None:
    said = Segment(text="a\udcff", start_s=0.0, end_s=1.0, speaker="b\udcff")
    damage = Damage(kind="damaged_media", found="c\udcff.mp3", read_s=1.0)
    again = read(write(evolve(silence, segments=(said,), damage=damage)))
    assert again.segments[0] == evolve(said, text="a\ufffd", speaker="b\ufffd")
    assert again.damage == evolve(damage, found="c\ufffd.mp3")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_has_no_word_for_some_numbers(silence: Transcript, number: float) -> None:
    with pytest.raises(ValueError, match=r"nan|inf"):
        write(evolve(silence, language_probability=number))


def edited(silence: Transcript, edit: Edit) -> str:
    word = Word(text="hi", start_s=0.0, end_s=1.0)
    document = json.loads(write(evolve(silence, segments=(Segment(text="hi", start_s=0.0, end_s=1.0, words=(word,)),))))
    edit(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda d: d.update(colour="red"), r"extra fields found \(colour\) @ \$"),
        (lambda d: d["segments"][0].update(colour="red"), r"extra fields found \(colour\) @ \$\.segments\[0\]"),
        (lambda d: d.pop("language"), r"required field missing @ \$\.language"),
        (lambda d: d.update(language=7), r"expected str @ \$\.language"),
        (lambda d: d.update(duration_s="9"), r"expected float @ \$\.duration_s"),
        (lambda d: d.update(duration_s=True), r"expected float @ \$\.duration_s"),
        (lambda d: d.update(duration_s=None), r"expected float @ \$\.duration_s"),
        (lambda d: d.update(language_probability="1"), r"\$\.language_probability"),
        (lambda d: d.update(segments={}), r"\$\.segments"),
        (lambda d: d.update(segments=""), r"\$\.segments"),
        (lambda d: d.update(segments=[3]), r"\$\.segments\[0\]"),
        (lambda d: d.update(segments=["text"]), r"\$\.segments\[0\]"),
        (lambda d: d.update(segments=[[]]), r"\$\.segments\[0\]"),
        (lambda d: d.update(segments=None), r"\$\.segments"),
        (lambda d: d.update(damage=[]), r"\$\.damage"),
        (lambda d: d.update(fingerprint=None), r"\$\.fingerprint"),
        (lambda d: d["fingerprint"].update(threads=2.0), r"expected int @ \$\.fingerprint\.threads"),
        (lambda d: d["fingerprint"].update(threads=True), r"expected int @ \$\.fingerprint\.threads"),
        (lambda d: d["fingerprint"].update(repeatable=1), r"expected bool @ \$\.fingerprint\.repeatable"),
        (lambda d: d["segments"][0].update(channel="0"), r"\$\.segments\[0\]\.channel"),
        (lambda d: d["segments"][0].update(words={}), r"\$\.segments\[0\]\.words"),
        (lambda d: d["segments"][0]["words"][0].update(end_s="x"), r"\$\.segments\[0\]\.words\[0\]\.end_s"),
    ],
)
def test_what_is_no_transcript_is_refused_with_its_place(silence: Transcript, edit: Edit, reason: str) -> None:
    with pytest.raises(InvalidOption, match=rf"^json: .*{reason}$"):
        read(edited(silence, edit))


def test_many_mistakes_are_summed_up(silence: Transcript) -> None:
    text = edited(silence, lambda d: d.update(segments=[{}] * 9))
    with pytest.raises(InvalidOption, match=r"segments\[0\]\.end_s; and 24 more$"):
        read(text)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"', '{"text": NaN}', '"\udcff"', "[" * 5000])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidOption, match=r"^json: "):
        read(text)


def test_whole_numbers_are_times_too(silence: Transcript) -> None:
    duration_s = read(edited(silence, lambda d: d.update(duration_s=9))).duration_s
    assert isinstance(duration_s, float)
    assert duration_s == 9.0


def test_the_text_on_top_is_only_for_people(silence: Transcript) -> None:
    changed = read(edited(silence, lambda d: d.update(text="bye")))
    assert changed == read(edited(silence, lambda d: d.pop("text")))
    assert changed.text == "hi"


def test_fields_with_defaults_may_be_missing(silence: Transcript) -> None:
    assert read(edited(silence, lambda d: d["segments"][0].pop("words"))).words == ()
