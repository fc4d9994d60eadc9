"""Uploads that are something else, and recordings that are not suspected."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media_files import ENCODINGS, Encoding, encode
from tests.unit.screening.corpora import MEDIA, SentFile, archive, honest, specimen, uploads
from whispercore.screening.rule import BLOCKING_SCORE, risk_score
from whispercore.screening.texts import screened as screened_text
from whispercore.screening.uploads import BOMB, ENTITIES, MASQUERADE, POLYGLOT, PROGRAM, RULES, Specimen, screened


def names(sent: Specimen) -> list[str]:
    return [found.rule.name for found in screened("file", sent)]


# ---------------------------------------------------------------- recordings


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda one: one.suffix)
def test_a_recording_passes_in_any_format(encoding: Encoding, audio: Path, tmp_path: Path) -> None:
    data = encode(audio / "clip02-en.wav", tmp_path / f"talk.{encoding.suffix}", encoding).read_bytes()
    for name in (f"talk.{encoding.suffix}", "talk.mp3", "talk", "", "..", "a talk.with.dots"):
        for declared in ("audio/mpeg", "application/octet-stream", "", "video/mp4", "text/plain"):
            assert names(specimen(name, declared, data)) == []


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "audio").glob("*.wav")), ids=lambda one: one.name)
def test_our_recordings_pass(path: Path) -> None:
    assert names(specimen(path.name, "audio/wav", path.read_bytes())) == []


@pytest.mark.parametrize("name", honest()["filenames"])
def test_an_honest_name_passes(name: str) -> None:
    assert names(specimen(name, "audio/wav", MEDIA["wav"])) == []


@pytest.mark.parametrize(
    "inside",
    [
        b"<p>Show notes: <a href='https://example.com'>a link</a> &amp; <b>more</b></p>",
        b"<?xpacket begin='x' id='W5M0'?><x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>",
        b"<?xml version='1.0'?><BWFXML><IXML_VERSION>1.5</IXML_VERSION></BWFXML>",
        b"PK\3\4 PK\5\6 MZ Rar! \x7fELF %PD",
        "Größe; O'Brien -- SELECT <draft>".encode(),
    ],
)
@pytest.mark.parametrize("kind", MEDIA)
def test_what_recordings_say_of_themselves_passes(kind: str, inside: bytes) -> None:
    assert names(specimen(f"talk.{kind}", "", MEDIA[kind] + inside + bytes(5000) + inside)) == []


def test_noise_in_a_recording_is_nothing() -> None:
    noise = np.random.default_rng(7).bytes(8 << 20)
    assert names(specimen("talk.wav", "audio/wav", MEDIA["wav"] + noise)) == []


@pytest.mark.parametrize(
    ("name", "declared", "data"),
    [
        ("notes.txt", "text/plain", b"dear diary"),
        ("diary.mp3", "audio/mpeg", b"dear diary"),
        ("cover.jpg", "image/jpeg", b"\xff\xd8\xff\xe0" + bytes(100)),
        ("cover.mp3", "audio/mpeg", b"\x89PNG\r\n\x1a\n" + bytes(100)),
        ("slides.pdf", "application/pdf", b"%PDF-1.7\n"),
        ("talks.zip", "application/zip", archive({"a.wav": b"abc" * 100})),
        ("song.mid", "audio/midi", b"MThd" + bytes(20)),
        ("empty.mp3", "audio/mpeg", b""),
        ("zeros.mp3", "audio/mpeg", bytes(1000)),
        ("list.m3u", "audio/x-mpegurl", b"#EXTM3U\n#EXTINF:1,\na.mp3\n"),
    ],
)
def test_an_honest_mistake_is_left_to_the_decoder(name: str, declared: str, data: bytes) -> None:
    """It says what the file is instead, which helps more."""
    assert names(specimen(name, declared, data)) == []


# ---------------------------------------------------------------- what is something else


@pytest.mark.parametrize("sent", list(uploads()), ids=lambda sent: sent.line[:60])
def test_a_hostile_upload_is_found(sent: SentFile) -> None:
    found = screened("file", sent.specimen) + screened_text("file", sent.specimen.name, "name")
    assert risk_score(found) >= BLOCKING_SCORE


def test_every_rule_is_needed_by_an_upload() -> None:
    bomb = specimen("a.zip", "", archive({"a": bytes(200 << 20)}))
    used = {name for sent in uploads() for name in names(sent.specimen)} | set(names(bomb))
    assert {rule.name for rule in RULES} - used == set()


@pytest.mark.parametrize("padding", [0, 1000, 100_000, 3 << 20])
def test_what_is_glued_on_is_found_however_long_the_recording_is(padding: int) -> None:
    for glued in (archive({"a": b"x"}), b"<script>alert(1)</script>", b"<?php x(); ?>"):
        assert names(specimen("talk.wav", "audio/wav", MEDIA["wav"] + bytes(padding) + glued)) == [POLYGLOT.name]


def test_an_archive_with_a_long_comment_is_one_all_the_same() -> None:
    data = bytearray(MEDIA["wav"] + archive({"a": b"x"}))
    data[-2:] = struct.pack("<H", 60_000)
    assert names(specimen("talk.wav", "", bytes(data) + b"c" * 60_000)) == [POLYGLOT.name]


@pytest.mark.parametrize("step", [1, 7, 1000, 1 << 20])
def test_it_does_not_matter_in_which_pieces_it_comes(step: int) -> None:
    data = MEDIA["wav"] + bytes(2000) + archive({"a": b"x"})
    assert names(specimen("talk.wav", "", data, step=step)) == [POLYGLOT.name]


def test_a_bomb_is_found_without_being_unpacked() -> None:
    bomb = archive({f"{number}": bytes(60 << 20) for number in range(2)})
    assert len(bomb) < 1 << 20
    assert names(specimen("talks.zip", "application/zip", bomb)) == [BOMB.name]
    assert names(specimen("talk.mp3", "audio/mpeg", bomb)) == [MASQUERADE.name, BOMB.name]
    assert names(specimen("talk.wav", "audio/wav", MEDIA["wav"] + bomb)) == [POLYGLOT.name, BOMB.name]


def test_a_packed_stream_that_announces_too_much_is_a_bomb() -> None:
    packed = b"\x1f\x8b\x08" + bytes(50) + struct.pack("<I", 3 << 30)
    assert names(specimen("a.gz", "application/gzip", packed)) == [BOMB.name]


def test_entities_are_found_in_any_encoding() -> None:
    xml = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    for data in (xml.encode(), b"\xef\xbb\xbf" + xml.encode(), xml.encode("utf-16")):
        assert ENTITIES.name in names(specimen("a.xml", "application/octet-stream", data))


def test_a_program_is_one_under_any_name() -> None:
    for name in ("a", "a.txt", "a.wav", "a.bin"):
        assert PROGRAM.name in names(specimen(name, "", b"\x7fELF\2\1\1" + bytes(100)))


@given(st.binary(max_size=300), st.text(max_size=30), st.text(max_size=20), st.sampled_from(sorted(MEDIA)))
def test_anything_can_be_looked_at(data: bytes, name: str, declared: str, kind: str) -> None:
    for whole in (data, MEDIA[kind] + data, data + b"PK\5\6" + data, b"PK\1\2" + data + b"PK\5\6" + data):
        screened("file", specimen(name, declared, whole))


async def test_watching_changes_nothing_and_keeps_little() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(100):
            yield bytes([number]) * 50_000

    sent = Specimen("a")
    assert [piece async for piece in sent.watched(pieces())] == [piece async for piece in pieces()]
    assert sent.size_bytes == 5_000_000
    assert sent.head[:50_000] == bytes(50_000)
    assert sent.tail[-50_000:] == b"\x63" * 50_000
    assert len(sent.head) + len(sent.tail) < 140_000
