"""How far the times of words are off, and what it costs to align words with the sound."""

from __future__ import annotations

import difflib
import json
import time
import wave
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from attrs import evolve, frozen
from pywhispercpp.model import Model

import whispercore
from benchmarks.place import ROOT, Place
from benchmarks.results import Figure, Result, spread
from whispercore.engines.engine import Control, Options, Window
from whispercore.engines.whispercpp.engine import WhisperCpp
from whispercore.models.catalogue import MICRO_PATH
from whispercore.settings import Settings
from whispercore.transcript import Segment, WordTimes

_AUDIO = ROOT / "tests" / "audio"
_RATE = 16_000
_MARGIN_S = 0.3
"""Silence on either side of what is cut out of a longer recording, as the clips have it."""
_MOST_S = 0.15
_OURS: Mapping[str, WordTimes] = {"by alignment": "dtw", "by tokens": "tokens"}


@frozen
class Said:
    """A word, and when it is said; None where that is not known."""

    text: str
    start_s: float | None
    end_s: float | None


@frozen
class Sentence:
    """A recording of one sentence, and its words."""

    path: Path
    language: str
    words: Sequence[Said]


def run(place: Place) -> Result:
    """Words of single sentences: ours, whisper.cpp's own times of tokens, and equal division of our segments."""
    sentences = list(_sentences(place.folder))[: place.pick(1000, 3)]
    model = Model(
        str(MICRO_PATH), n_threads=place.threads, n_max_text_ctx=0, print_progress=False, print_timestamps=False
    )
    ways = (*_OURS, "whisper.cpp's", "equal division")
    errors: dict[str, list[float]] = {f"{way}, {end}": [] for way in ways for end in ("start", "end")}
    unlike = 0
    for sentence in sentences:
        heard = {way: _heard(sentence, place, times) for way, times in _OURS.items()}
        unlike += len({" ".join(one.text for one in segments) for segments in heard.values()}) - 1
        said = {way: [Said(one.text, one.start_s, one.end_s) for one in _words(heard[way])] for way in _OURS}
        said["whisper.cpp's"] = _of_tokens(model, sentence)
        said["equal division"] = [word for one in heard["by tokens"] for word in _divided(one)]
        for way, words in said.items():
            starts, ends = _errors(sentence.words, words)
            errors[f"{way}, start"] += starts
            errors[f"{way}, end"] += ends
    return _result(place, len(sentences), unlike, errors, _cost(place))


def _result(
    place: Place, n_sentences: int, unlike: int, errors: Mapping[str, Sequence[float]], cost: Mapping[str, list[float]]
) -> Result:
    middle = {what: median(found) for what, found in errors.items()}
    aligned_s, plain_s = cost["by alignment"], cost["by tokens"]
    return Result(
        name="words",
        title="Times of words",
        how=(
            f"{n_sentences} sentences of 3 to 5 s in four languages and of a talk with four voices on micro, whose "
            "words' times are those of the synthesiser. How far the words that were recognised are off: medians of "
            "ours in both ways, of pywhispercpp's (token_timestamps, max_len=1, split_on_word) and of dividing each of "
            f"our segments equally among its words. Cost of alignment: 30 s of speech on {place.model_name('tiny')}, "
            f"given to the engine's process itself, {place.threads} threads; in turns, {len(plain_s)} rounds, medians."
        ),
        figures=(
            *(
                Figure(what=f"{end} of a word, {way}", value=middle[f"{way}, {end}"], unit="s", digits=3, bar=_MOST_S)
                for way in _OURS
                for end in ("start", "end")
            ),
            *(
                Figure(
                    what=f"{end}, {way} / equal division",
                    value=middle[f"{way}, {end}"] / middle[f"equal division, {end}"],
                    unit="x",
                    bar=1.0,
                )
                for way in _OURS
                for end in ("start", "end")
            ),
            *(
                Figure(what=what, value=value, unit="s", digits=3)
                for what, value in middle.items()
                if not what.startswith(tuple(_OURS))
            ),
            Figure(what="sentences whose text differs by alignment", value=unlike, digits=0, bar=0),
            Figure(
                what="time, by alignment / by tokens",
                value=median(aligned_s) / median(plain_s),
                unit="x",
            ),
        ),
        samples={**errors, "aligned_s": aligned_s, "plain_s": plain_s},
        notes=(
            f"{len(errors['by tokens, start'])} words whose start is known were recognised.",
            f"In time, {spread(aligned_s, plain_s)}.",
        ),
    )


def _heard(sentence: Sentence, place: Place, times: WordTimes) -> Sequence[Segment]:
    running = whispercore.stream(
        sentence.path,
        model="micro",
        language=sentence.language,
        words=True,
        vad=False,
        threads=place.threads,
        settings=evolve(Settings.from_environment(), word_times=times),
    )
    return running.run().segments


def _words(segments: Iterable[Segment]) -> Iterable[whispercore.Word]:
    return (word for one in segments for word in one.words)


def _cost(place: Place) -> Mapping[str, list[float]]:
    name = "micro" if place.quick else "tiny"  # by which its heads are known
    link = place.folder / f"{name}.bin"
    link.symlink_to(place.model("tiny"))
    engine = WhisperCpp(link, sha256="", threads=place.threads)
    with wave.open(str(_AUDIO / "talk.wav"), "rb") as talk:
        sound = np.frombuffer(talk.readframes(30 * _RATE), np.int16).astype(np.float32) / np.float32(32768)
    window = Window(index=0, start_s=0.0, samples=sound.tobytes())
    found: dict[str, list[float]] = {way: [] for way in _OURS}
    try:
        for number in range(place.pick(8, 1) + 1):
            for way, times in _OURS.items():
                began = time.perf_counter()
                engine.decode([window], Options(language="en", words=True, word_times=times), Control())
                if number:  # the first one loads what it needs
                    found[way].append(time.perf_counter() - began)
    finally:
        engine.unload()
    return found


def _sentences(folder: Path) -> Iterable[Sentence]:
    for row in json.loads((_AUDIO / "transcripts.json").read_text()):
        if "words" in row:
            yield Sentence(_AUDIO / row["file"], row["language"], _said(row["words"], 0.0))
    talk = next(row for row in json.loads((_AUDIO / "transcripts.json").read_text()) if row["file"] == "talk.wav")
    for number, segment in enumerate(talk["segments"]):
        begin_s, path = max(0.0, segment["start_s"] - _MARGIN_S), folder / f"sentence-{number}.wav"
        with wave.open(str(_AUDIO / "talk.wav"), "rb") as whole, wave.open(str(path), "wb") as part:
            part.setparams(whole.getparams())
            whole.setpos(round(begin_s * _RATE))
            part.writeframes(whole.readframes(round((segment["end_s"] + _MARGIN_S - begin_s) * _RATE)))
        yield Sentence(path, "en", _said(segment["words"], begin_s))


def _said(rows: Iterable[Mapping[str, Any]], begin_s: float) -> list[Said]:
    """The words of the truth. Of several that run together only the first start and the last end are known."""
    said = []
    for row in rows:
        parts = row["text"].split()
        for number, part in enumerate(parts):
            start_s = row["start_s"] - begin_s if number == 0 else None
            said.append(Said(part, start_s, row["end_s"] - begin_s if number == len(parts) - 1 else None))
    return said


def _of_tokens(model: Model, sentence: Sentence) -> list[Said]:
    with wave.open(str(sentence.path), "rb") as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / np.float32(32768)
    found = model.transcribe(sound, language=sentence.language, token_timestamps=True, max_len=1, split_on_word=True)
    return [Said(one.text, one.t0 / 100, one.t1 / 100) for one in found if one.text.strip()]


def _divided(segment: Segment) -> list[Said]:
    each_s = (segment.end_s - segment.start_s) / max(1, len(segment.words))
    return [
        Said(word.text, segment.start_s + number * each_s, segment.start_s + (number + 1) * each_s)
        for number, word in enumerate(segment.words)
    ]


def _errors(true: Sequence[Said], heard: Sequence[Said]) -> tuple[list[float], list[float]]:
    """Of the words that are in both, in order."""
    starts: list[float] = []
    ends: list[float] = []
    pairing = difflib.SequenceMatcher(None, [_plain(one.text) for one in true], [_plain(one.text) for one in heard])
    for block in pairing.get_matching_blocks():
        for number in range(block.size):
            expected, found = true[block.a + number], heard[block.b + number]
            if expected.start_s is not None and found.start_s is not None:
                starts.append(abs(expected.start_s - found.start_s))
            if expected.end_s is not None and found.end_s is not None:
                ends.append(abs(expected.end_s - found.end_s))
    return starts, ends


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
