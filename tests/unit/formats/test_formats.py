from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.errors import InvalidOption
from whispercore.formats import FORMATS, CueOptions, TextOptions, VttOptions, write
from whispercore.transcript import FileFormat, Segment, TextFormat, Transcript

ROOT = Path(__file__).parents[3]


NAMES = ["txt", "srt", "vtt", "json", "tsv", "verbose_json", "csv", "lrc", "ass", "docx", "pdf"]
TEXTS = [name for name, format_ in FORMATS.items() if format_.is_text]


def test_the_names_are_the_keys() -> None:
    assert list(FORMATS) == NAMES == [*get_args(TextFormat), *get_args(FileFormat)]
    assert [format_.name for format_ in FORMATS.values()] == NAMES
    assert list(get_args(TextFormat)) == TEXTS


def test_extensions_suit_paths_and_tell_formats_apart() -> None:
    written = {name: Path("talk.mp3").with_suffix(format_.extension).name for name, format_ in FORMATS.items()}
    assert written.pop("verbose_json") == "talk.verbose.json"
    assert written == {name: f"talk.{name}" for name in NAMES if name != "verbose_json"}


def test_media_types() -> None:
    assert {name: format_.mime_type for name, format_ in FORMATS.items()} == {
        "txt": "text/plain",
        "srt": "application/x-subrip",
        "vtt": "text/vtt",
        "json": "application/json",
        "tsv": "text/tab-separated-values",
        "verbose_json": "application/json",
        "csv": "text/csv",
        "lrc": "text/x-lrc",
        "ass": "text/x-ssa",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "pdf": "application/pdf",
    }


def test_only_plain_text_has_no_times(silence: Transcript) -> None:
    spoken = evolve(silence, segments=(Segment(text="hi", start_s=1.23, end_s=2.0),))
    with_times = [name for name, format_ in FORMATS.items() if format_.supports_timestamps]
    assert with_times == NAMES[1:]
    assert [name for name in TEXTS if "23" in str(write(spoken, name))] == TEXTS[1:]


def test_an_unknown_name_lists_those_there_are(silence: Transcript) -> None:
    with pytest.raises(InvalidOption, match=r"^format: 'doc' is not one of txt, srt, vtt, .*, pdf$"):
        write(silence, "doc")


@pytest.mark.parametrize("name", TEXTS)
def test_a_transcript_writes_itself(silence: Transcript, name: str) -> None:
    assert silence.to(name) == write(silence, name) == getattr(silence, f"to_{name}")()
    assert silence.to_bytes(name).decode() == silence.to(name)


@pytest.mark.parametrize("name", ["docx", "pdf"])
def test_a_transcript_writes_files(silence: Transcript, name: str) -> None:
    for made in (silence.to(name), silence.to_bytes(name), getattr(silence, f"to_{name}")()):
        assert isinstance(made, bytes)
        assert made.startswith({"docx": b"PK", "pdf": b"%PDF"}[name])


# ---------------------------------------------------------------- options


def test_the_options_of_subtitles_are_good_practice() -> None:
    usual = {one.name: one.default for one in FORMATS["srt"].options}
    assert usual == {"line_length": 42, "lines": 2, "reading_speed": 17.0, "gap_ms": 80, "speakers": True}


@pytest.mark.parametrize("name", FORMATS)
def test_options_say_what_they_are(name: str) -> None:
    for one in FORMATS[name].options:
        assert one.description.endswith(".")
        assert {"boolean": bool, "integer": int, "number": float, "string": str}[one.type] is type(one.default)
        assert (one.minimum is None) == (one.type not in ("integer", "number"))
        made = FORMATS[name].options_of({one.name: one.default})
        assert made == FORMATS[name].options_class()


@pytest.mark.parametrize("name", FORMATS)
def test_a_wrong_option_is_named(name: str) -> None:
    with pytest.raises(InvalidOption, match=rf"^sparkles: {name} has no such option; it has "):
        FORMATS[name].options_of({"sparkles": True})
    for one in FORMATS[name].options:
        wrong: list[object] = [None, [], "\n" * 300]
        wrong += [one.minimum - 1, one.maximum + 1, True, "7"] if one.minimum and one.maximum else []
        wrong += [1, "maybe"] if one.type == "boolean" else []
        for value in wrong:
            with pytest.raises(InvalidOption) as caught:
                FORMATS[name].options_of({one.name: value})
            assert caught.value.option == one.name
            assert caught.value.reason


def test_options_of_another_format_are_refused(silence: Transcript) -> None:
    with pytest.raises(InvalidOption, match=r"^options: srt takes CueOptions, not TextOptions$"):
        silence.to("srt", TextOptions())
    with pytest.raises(InvalidOption, match="json takes JsonOptions"):
        silence.to("json", CueOptions())
    assert silence.to("srt", VttOptions()) == silence.to_srt(CueOptions())


def test_what_is_not_installed_says_how_to_install_it(silence: Transcript) -> None:
    lacking = evolve(FORMATS["docx"], needs=("a_module_that_nobody_has",))
    assert lacking.missing == "a_module_that_nobody_has"
    with pytest.raises(InvalidOption, match=r"^format: docx needs a_module.*: pip install 'whispercore\[documents\]'$"):
        lacking.write(silence)


@given(transcript=st.from_type(Transcript), name=st.sampled_from(TEXTS))
@settings(deadline=None)
def test_all_can_be_saved(transcript: Transcript, name: str) -> None:
    try:
        written = write(transcript, name)
    except InvalidOption as error:
        assert name == "ass"
        assert "no times after 9:59:59.99" in error.reason
        return
    assert isinstance(written, str)
    assert written.encode().decode() == written
    assert not written or written.endswith("\n")


@pytest.mark.parametrize("name", FORMATS)
def test_bytes_of_file_names_that_are_not_utf_8_can_be_saved(silence: Transcript, name: str) -> None:
    odd = Segment(text="caf\udce9", start_s=0.0, end_s=1.0, speaker="b\udcff")
    written = write(evolve(silence, segments=(odd,)), name)
    assert isinstance(written, bytes) or "caf\ufffd" in written.encode().decode()


def test_listing_formats_imports_no_library() -> None:
    heavy = {"webvtt", "pysubs2", "docx", "fpdf", "cattrs", "orjson", "numpy"}
    code = f"import sys, whispercore.formats; print(sorted({heavy!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout == "[]\n"
