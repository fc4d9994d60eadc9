from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.errors import InvalidOption
from whispercore.formats import FORMATS, write
from whispercore.transcript import Segment, Transcript

ROOT = Path(__file__).parents[3]


def test_the_names_are_the_keys() -> None:
    assert list(FORMATS) == ["txt", "srt", "vtt", "json", "tsv"]
    assert [format_.name for format_ in FORMATS.values()] == list(FORMATS)


def test_extensions_suit_paths() -> None:
    assert [Path("talk.mp3").with_suffix(format_.extension).name for format_ in FORMATS.values()] == [
        "talk.txt",
        "talk.srt",
        "talk.vtt",
        "talk.json",
        "talk.tsv",
    ]


def test_media_types() -> None:
    assert {name: format_.mime_type for name, format_ in FORMATS.items()} == {
        "txt": "text/plain",
        "srt": "application/x-subrip",
        "vtt": "text/vtt",
        "json": "application/json",
        "tsv": "text/tab-separated-values",
    }


def test_only_plain_text_has_no_times(silence: Transcript) -> None:
    spoken = evolve(silence, segments=(Segment(text="hi", start_s=1.234, end_s=2.0),))
    with_times = [name for name, format_ in FORMATS.items() if format_.supports_timestamps]
    assert with_times == ["srt", "vtt", "json", "tsv"]
    assert [name for name in FORMATS if "234" in write(spoken, name)] == with_times


def test_an_unknown_name_lists_those_there_are(silence: Transcript) -> None:
    with pytest.raises(InvalidOption, match=r"^format: 'docx' is not one of txt, srt, vtt, json, tsv$"):
        write(silence, "docx")


@pytest.mark.parametrize("name", FORMATS)
def test_a_transcript_writes_itself(silence: Transcript, name: str) -> None:
    assert silence.to(name) == write(silence, name) == getattr(silence, f"to_{name}")()


@given(transcript=st.from_type(Transcript), name=st.sampled_from(list(FORMATS)))
@settings(deadline=None)
def test_all_can_be_saved(transcript: Transcript, name: str) -> None:
    written = write(transcript, name)
    assert written.encode().decode() == written
    assert not written or written.endswith("\n")


@pytest.mark.parametrize("name", FORMATS)
def test_bytes_of_file_names_that_are_not_utf_8_can_be_saved(silence: Transcript, name: str) -> None:
    odd = Segment(text="caf\udce9", start_s=0.0, end_s=1.0, speaker="b\udcff")
    assert "caf\ufffd" in write(evolve(silence, segments=(odd,)), name).encode().decode()


def test_listing_formats_imports_no_library() -> None:
    heavy = {"webvtt", "cattrs", "orjson", "numpy"}
    code = f"import sys, whispercore.formats; print(sorted({heavy!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout == "[]\n"
