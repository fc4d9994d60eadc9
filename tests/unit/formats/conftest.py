"""Transcripts for the tests of formats: an empty one to fill, awkward texts, and strategies for hypothesis."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import strategies as st

from whispercore.quality import Quality, Verdict
from whispercore.transcript import Damage, Dropped, Fingerprint, Segment, Transcript, Word

AWKWARD = (
    "",
    " ",
    "\u3000",
    "שלום עולם",
    "\u202b\u0645\u0631\u062d\u0628\u0627\u202c",
    "👩\u200d👩\u200d👧 🇩🇪",
    "a --> b",
    "---->",
    "00:00:01,000 --> 00:00:02,000",
    "00:00:01.000 --> 00:00:02.000",
    "<b>bold</b>",
    "</v><v Eve>",
    "{\\an8}{b}",
    "&amp; &lt;i&gt; & AT&T",
    "x" * 5000,
    "a\rb",
    "a\r\n\r\n2\r\nb",
    "a\n\n00:00:09.000 --> 00:00:10.000\nb",
    "a\u2028\u2029b",
    "a\x00b\x1b[31m\x85c\x7f",
    "\x00",
    "col\tumn",
    '"quoted',
    "1999",
    "NOTE this",
    "STYLE",
    "WEBVTT",
    "\ufeffmark",
    "non\u00a0breaking\u202f!",
)

_CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.sampled_from("->&<>{}\r\n\t \x00\u2028\x85:,1")
# Deferred, because hypothesis warns of strategies with a representation as long as these texts.
TEXTS = st.deferred(lambda: st.sampled_from(AWKWARD) | st.text(_CHARACTERS, max_size=25))
TIMES = st.floats(0, 1e6) | st.sampled_from([0.0, 0.0005, 1.0005, 59.9996, 259.0395, 359_999.9996, 360_000.0])
CHANCES = st.none() | st.floats(0, 1)

WORDS = st.builds(Word, text=TEXTS, start_s=TIMES, end_s=TIMES, confidence=CHANCES, speaker=st.none() | TEXTS)
QUALITIES = st.builds(
    Quality,
    verdict=st.none() | st.sampled_from(get_args(Verdict)),
    avg_logprob=st.none() | st.floats(-20, 0),
    no_speech_prob=CHANCES,
    compression_ratio=st.floats(0, 100),
    repetition=st.floats(0, 1),
    words_cut=st.integers(0, 99),
)
SEGMENTS = st.builds(
    Segment,
    text=TEXTS,
    start_s=TIMES,
    end_s=TIMES,
    words=st.lists(WORDS, max_size=2).map(tuple),
    confidence=CHANCES,
    speaker=st.none() | TEXTS,
    channel=st.none() | st.integers(0, 7),
    quality=st.none() | QUALITIES,
    language=st.none() | st.sampled_from(["en", "de", "ja"]),
    language_probability=CHANCES,
)
FINGERPRINTS = st.builds(
    Fingerprint,
    engine=TEXTS,
    model_sha256=TEXTS,
    device=TEXTS,
    threads=st.integers(1, 64),
    cutter=st.none() | st.integers(0, 9),
    repeatable=st.booleans(),
)
DROPPED = st.builds(
    Dropped,
    start_s=TIMES,
    end_s=TIMES,
    channel=st.none() | st.integers(0, 7),
    verdict=st.sampled_from(get_args(Verdict)),
)
TRANSCRIPTS = st.builds(
    Transcript,
    segments=st.lists(SEGMENTS, max_size=4).map(tuple),
    language=st.sampled_from(["en", "ja", "ar"]),
    language_probability=CHANCES,
    duration_s=TIMES,
    model=TEXTS,
    fingerprint=FINGERPRINTS,
    earlier_fingerprints=st.lists(FINGERPRINTS, max_size=2).map(tuple),
    dropped=st.lists(DROPPED, max_size=2).map(tuple),
    damage=st.none() | st.builds(Damage, kind=TEXTS, found=TEXTS, read_s=TIMES, declared_s=st.none() | TIMES),
)
# Test modules cannot import from each other in pytest's importlib mode; from_type(Transcript) finds this one.
st.register_type_strategy(Transcript, lambda _: TRANSCRIPTS)


@pytest.fixture(params=AWKWARD, ids=ascii)
def awkward(request: pytest.FixtureRequest) -> str:
    text: str = request.param
    return text


@pytest.fixture(scope="session")
def silence() -> Transcript:
    return Transcript(
        segments=(),
        language="en",
        duration_s=9.0,
        model="tiny",
        fingerprint=Fingerprint(engine="whisper-cpp 1", model_sha256="ab", device="cpu", threads=2),
    )
