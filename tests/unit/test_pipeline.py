"""Runs that go on where others were broken off, and what they tell while they work."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from attrs import define, evolve, field

from tests.sounds import silence
from tests.speech import in_languages, samples, truth, write_wav
from whispercore.audio.decoder import Decoder
from whispercore.audio.messages import Channels, Finished
from whispercore.audio.readers import Reader
from whispercore.audio.vad import Vad
from whispercore.checkpoints import FinishedWindow, Past
from whispercore.engines.engine import Control, Decode, DetectedLanguage, Options, Window
from whispercore.engines.pool import EnginePool, Lease
from whispercore.engines.shared import Lane
from whispercore.engines.whispercpp.engine import WhisperCpp
from whispercore.errors import Cancelled, TruncatedMedia
from whispercore.hallucinations import Hallucinations
from whispercore.models.store import ModelFile, ModelStore
from whispercore.pipeline import Pipeline
from whispercore.progress import Progress
from whispercore.settings import Settings
from whispercore.speakers.diarization import Diarization
from whispercore.speakers.diarizer import OnHeard, Turn
from whispercore.testing import ScriptedDiarizer, ScriptedEngine
from whispercore.testing.scripted import window_number
from whispercore.transcript import Fallback, Segment, Transcript


@define(eq=False)
class Notes:
    """Checkpoints in memory."""

    language: DetectedLanguage | None = None
    windows: list[FinishedWindow] = field(factory=list)
    segments: list[Segment] = field(factory=list)
    passed: tuple[Fallback, ...] = ()
    on_keep: Callable[[], None] = lambda: None

    def past(self) -> Past:
        return Past(language=self.language, windows=tuple(self.windows), fallback_from=self.passed)

    def decided(self, language: DetectedLanguage) -> None:
        assert self.language is None
        self.language = language

    def fell_back(self, passed: tuple[Fallback, ...]) -> None:
        assert passed[:-1] == self.passed
        self.passed = passed

    def keep(self, window: FinishedWindow, segments: Sequence[Segment], position: int) -> None:
        assert position == len(self.segments), "places have no holes"
        assert (window.channel, window.index) not in [(item.channel, item.index) for item in self.windows]
        self.windows.append(window)
        self.segments += segments
        self.on_keep()


def pipeline(
    path: Path,
    notes: Notes | None = None,
    pool: EnginePool | None = None,
    *,
    channels: Channels = "mix",
    lane: Lane = "batch",
    options: Options | None = None,
    diarization: Diarization | None = None,
    diarizer: ScriptedDiarizer | None = None,
    vad: Vad | None = None,
    hallucinations: Hallucinations | None = None,
) -> Pipeline:
    return Pipeline(
        audio=path,
        model="micro",
        options=options if options is not None else Options(words=True),
        threads=None,
        channels=channels,
        diarization=diarization,
        find_diarizer=lambda _: diarizer or ScriptedDiarizer(),
        engine="whisper-cpp",
        keep_damaged=False,
        vad=vad,
        hallucinations=hallucinations if hallucinations is not None else Hallucinations(),
        settings=Settings.from_environment(),
        pool=pool,
        lane=lane,
        checkpoints=notes,
        control=Control(),
    )


def run(work: Pipeline) -> Transcript:
    given = [segment for segments in work.steps() for segment in segments]
    assert work.transcript is not None
    assert tuple(given) == work.transcript.segments
    return work.transcript


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def scripted(engine: ScriptedEngine) -> Iterator[EnginePool]:
    with EnginePool(find=lambda _name: engine) as pool:
        yield pool


def broken_off(
    path: Path,
    notes: Notes,
    pool: EnginePool | None,
    after: int,
    channels: Channels = "mix",
    *,
    vad: Vad | None = None,
    options: Options | None = None,
    hallucinations: Hallucinations | None = None,
) -> None:
    """A run that is cancelled after some windows."""
    work = pipeline(path, notes, pool, channels=channels, vad=vad, options=options, hallucinations=hallucinations)
    until = len(notes.windows) + after

    def check() -> None:
        if len(notes.windows) >= until:
            work.control.cancel()

    notes.on_keep = check
    with pytest.raises(Cancelled):
        run(work)
    notes.on_keep = lambda: None


# ------------------------------------------------------------ with the real engine


def _noisy(folder: Path) -> Path:
    """Talk under noise in which the temperature falls back."""
    clean = samples("talk.wav")[: 16_000 * 60]
    noise = np.random.default_rng(4).normal(0, 0.05, clean.size)
    return write_wav(folder / "noisy.wav", (clean + noise).astype(np.float32))


def _two_minutes(folder: Path) -> Path:
    return write_wav(folder / "talk.wav", samples("talk.wav")[: 16_000 * 120])


def _with_silence(folder: Path) -> Path:
    """Talk in five parts, with half a minute of silence between."""
    talk, silence = samples("talk.wav")[: 16_000 * 125], np.zeros(16_000 * 30, np.float32)
    parts = [part for piece in np.split(talk, 5) for part in (silence, piece)]
    return write_wav(folder / "gaps.wav", np.concatenate(parts))


def test_a_run_without_silence_goes_on_as_well(tmp_path: Path) -> None:
    path, vad = _with_silence(tmp_path), Vad()
    whole = pipeline(path, vad=vad)
    undisturbed = run(whole)
    assert whole.decoded < 15, "and not the 28 that the silence takes too"
    assert undisturbed.fingerprint.vad == "silero 6.2.0"
    for one in undisturbed.segments:
        assert one.start_s % 55 >= 29
        assert one.end_s - one.start_s < 10, "none reaches over the silence"
    notes = Notes()
    broken_off(path, notes, None, 2, vad=vad)
    last = pipeline(path, notes, vad=vad)
    assert run(last) == undisturbed
    assert last.decoded < whole.decoded
    assert tuple(notes.segments) == undisturbed.segments


def test_a_run_in_several_languages_goes_on_as_well(tmp_path: Path) -> None:
    clips = ("clip05-en.wav", "clip13-de.wav", "clip17-es.wav", "clip21-fr.wav", "clip14-de.wav")
    path, vad, options = in_languages(tmp_path / "mixed.wav", *clips), Vad(), Options(words=True, code_switching=True)
    undisturbed = run(pipeline(path, vad=vad, options=options))
    assert {one.code for one in undisturbed.languages} == {"en", "de", "es", "fr"}
    notes = Notes()
    broken_off(path, notes, None, 2, vad=vad, options=options)
    last = pipeline(path, notes, vad=vad, options=options)
    assert run(last) == undisturbed
    assert last.decoded < 5
    assert tuple(notes.segments) == undisturbed.segments


def test_progress_counts_silence_as_done(tmp_path: Path, scripted: EnginePool) -> None:
    work = pipeline(_with_silence(tmp_path), pool=scripted, vad=Vad(detector="energy"))
    seen = [work.progress for _ in work.steps()]
    fractions = [one.fraction for one in seen if one.stage == "transcribing" and one.fraction is not None]
    assert fractions == sorted(fractions)
    assert fractions[-1] > 0.9
    assert work.progress.done_s == 275.0


@pytest.mark.parametrize("recording", ["call-stereo.wav", "noisy.wav", "talk.wav"])
def test_a_run_that_is_broken_off_again_and_again_gives_the_same_transcript(
    recording: str, audio: Path, tmp_path: Path
) -> None:
    parts = {"noisy.wav": _noisy, "talk.wav": _two_minutes}
    path = parts[recording](tmp_path) if recording in parts else audio / recording
    channels: Channels = "separate" if recording == "call-stereo.wav" else "mix"
    whole = pipeline(path, channels=channels)
    undisturbed = run(whole)
    notes, n_windows = Notes(), whole.progress.windows_done
    for after in (1, 2, n_windows // 3):
        broken_off(path, notes, None, after, channels)
    before = len(notes.windows)
    assert 3 <= before < n_windows
    last = pipeline(path, notes, channels=channels)
    assert run(last) == undisturbed
    assert tuple(notes.segments) == undisturbed.segments
    assert last.decoded == n_windows - before
    assert undisturbed.words


def test_all_was_finished_before(audio: Path) -> None:
    notes = Notes()
    undisturbed = run(pipeline(audio / "clip02-en.wav", notes))
    again = pipeline(audio / "clip02-en.wav", notes)
    assert run(again) == undisturbed
    assert again.decoded == 0


def test_progress_stands_still_while_the_child_does(audio: Path, micro: ModelFile, pool: EnginePool) -> None:
    work = pipeline(audio / "talk.wav", None, pool)
    steps = work.steps()
    while work.progress.windows_done < 2:
        next(steps)
    with pool.lease(micro) as lease:
        engine = lease.ready().result()
    assert isinstance(engine, WhisperCpp)
    assert engine.pid is not None

    def told() -> Progress:
        return evolve(work.progress, elapsed_s=0.0, eta_s=None)

    os.kill(engine.pid, signal.SIGSTOP)
    try:
        for _ in range(5):  # what was already under way
            next(steps)
        before = told()
        for _ in range(10):
            assert next(steps) == []
        assert told() == before
    finally:
        os.kill(engine.pid, signal.SIGCONT)
    while work.progress.windows_done < before.windows_done + 2:
        next(steps)
    steps.close()


# ------------------------------------------------------------ with a script


def test_whatever_was_finished_before(audio: Path, scripted: EnginePool, engine: ScriptedEngine) -> None:
    """Any windows, not only the first ones: they are finished out of order."""
    notes = Notes()
    undisturbed = run(pipeline(audio / "call-stereo.wav", notes, scripted, channels="separate"))
    random = np.random.default_rng(7)
    for share in (0.2, 0.5, 0.9):
        some = [window for window in notes.windows if random.random() < share]
        engine.calls.clear()
        again = pipeline(audio / "call-stereo.wav", Some(windows=some), scripted, channels="separate")
        assert run(again) == undisturbed
        assert len(engine.calls) == again.decoded == len(notes.windows) - len(some)


def _made_up(window: Window) -> str:
    """Every third window is nothing but a loop, and every third one ends in one."""
    loop = " ".join([f"again {window.index}"] * 6)
    return (loop, f"window {window.index} begins and says {loop}", f"window {window.index}")[window.index % 3]


@pytest.mark.parametrize(
    "aids",
    [
        Hallucinations(policy="keep", cut_loops=True),
        Hallucinations(policy="flag", condition_on_previous_text=True),
        Hallucinations(policy="drop"),
        Hallucinations(policy="drop", cut_loops=True, condition_on_previous_text=True),
    ],
)
def test_a_run_that_goes_on_leaves_out_the_same(audio: Path, aids: Hallucinations) -> None:
    policy = aids.policy
    engine = ScriptedEngine(_made_up)
    with EnginePool(find=lambda _name: engine) as pool:
        whole, path = Notes(), audio / "call-stereo.wav"
        undisturbed = run(pipeline(path, whole, pool, channels="separate", hallucinations=aids))
        assert tuple(whole.segments) == undisturbed.segments
        prompts = {(index, options.prompt) for index, options in engine.calls}
        engine.calls.clear()
        notes = Notes()
        for after in (1, 3):
            broken_off(path, notes, pool, after, "separate", hallucinations=aids)
        last = pipeline(path, notes, pool, channels="separate", hallucinations=aids)
        assert run(last) == undisturbed
        assert tuple(notes.segments) == undisturbed.segments
        assert last.decoded < len(whole.windows)
        assert {(index, options.prompt) for index, options in engine.calls} == prompts
    n_out = sum(window.index % 3 < 2 for window in whole.windows) if policy == "drop" else 0
    assert len(undisturbed.dropped) == n_out
    assert len(undisturbed.segments) == len(whole.windows) - n_out
    verdicts = {one.quality.verdict for one in undisturbed.segments if one.quality is not None}
    assert verdicts == ({None} if policy == "keep" else {"good"} if policy == "drop" else {"good", "repetitive"})


def test_windows_are_prompted_with_what_was_said_before(audio: Path) -> None:
    """In order of each channel, however many the engine takes at a time, and never with what is made up."""
    engine = ScriptedEngine(_made_up, slots=3)
    aids, options = Hallucinations(condition_on_previous_text=True), Options(prompt="Names.")
    with EnginePool(find=lambda _name: engine) as pool:
        run(pipeline(audio / "talk.wav", None, pool, options=options, hallucinations=aids))
        prompts = [options.prompt for _, options in engine.calls]
        assert [index for index, _ in engine.calls] == list(range(len(prompts)))
        assert prompts == [
            f"Names. window {place - 1}" if place and place % 3 == 0 else "Names." for place in range(len(prompts))
        ]
        engine.calls.clear()
        run(pipeline(audio / "talk.wav", None, pool, options=options))
        assert {options.prompt for _, options in engine.calls} == {"Names."}


class Some(Notes):
    """Windows whose segments were not written down, as after a loss."""

    def keep(self, window: FinishedWindow, segments: Sequence[Segment], position: int) -> None:
        """They were kept before."""


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_no_more_windows_are_at_risk_than_there_are_slots(audio: Path, slots: int) -> None:
    engine = ScriptedEngine(slots=slots)
    notes = Notes()
    at_risk: list[int] = []
    # In ``keep``, the window that is being kept is not safe yet.
    notes.on_keep = lambda: at_risk.append(len(engine.calls) - len(notes.windows) + 1)
    with EnginePool(find=lambda _name: engine) as pool:
        run(pipeline(audio / "talk.wav", notes, pool))
    assert len(at_risk) == len(engine.calls)
    assert max(at_risk) <= slots


def test_the_language_is_decided_once(audio: Path, scripted: EnginePool, engine: ScriptedEngine) -> None:
    notes = Notes()
    broken_off(audio / "talk.wav", notes, scripted, 3)
    assert notes.language == DetectedLanguage(code="en", probability=0.99, probabilities={"en": 0.99})
    stages: set[str] = set()
    notes.language = DetectedLanguage(code="de", probability=0.7)
    work = pipeline(audio / "talk.wav", notes, scripted)
    for _ in work.steps():
        stages.add(work.progress.stage)
    assert work.transcript is not None
    assert (work.transcript.language, work.transcript.language_probability) == ("de", 0.7)
    assert "detecting" not in stages
    assert engine.calls[-1][1].language == "de"


def test_what_another_engine_decoded_is_used_and_named(
    audio: Path, scripted: EnginePool, engine: ScriptedEngine
) -> None:
    notes = Notes()
    undisturbed = run(pipeline(audio / "talk.wav", notes, scripted))
    older = evolve(undisturbed.fingerprint, engine="scripted 0")
    assert undisturbed.earlier_fingerprints == ()
    windows = [evolve(window, fingerprint=older) for window in notes.windows]
    mixed = run(pipeline(audio / "talk.wav", Some(windows=windows[:5]), scripted))
    assert mixed == evolve(undisturbed, earlier_fingerprints=(older,))
    assert run(pipeline(audio / "talk.wav", Some(windows=windows), scripted)).fingerprint == older


def test_what_was_cut_elsewhere_is_decoded_again(audio: Path, scripted: EnginePool) -> None:
    notes = Notes()
    undisturbed = run(pipeline(audio / "talk.wav", notes, scripted))
    moved = [evolve(window, end_s=window.end_s + 0.1, segments=()) for window in notes.windows]
    again = pipeline(audio / "talk.wav", Some(windows=moved), scripted)
    assert run(again) == undisturbed
    assert again.decoded == len(moved)


def test_a_window_that_cannot_be_kept_ends_the_run(audio: Path, scripted: EnginePool, engine: ScriptedEngine) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    notes = Notes()
    notes.on_keep = full
    with pytest.raises(OSError, match="No space"):
        run(pipeline(audio / "talk.wav", notes, scripted))
    assert len(engine.calls) <= 2


def test_windows_are_counted(audio: Path, scripted: EnginePool) -> None:
    work = pipeline(audio / "talk.wav", None, scripted)
    told = [work.progress for _ in work.steps()]
    seen = [progress for progress in told if progress.stage == "transcribing"]
    assert work.sound is not None
    assert work.sound.declared_s == pytest.approx(303.633, abs=0.01)
    last = work.progress
    assert (last.windows_done, last.windows_total) == (work.decoded, work.decoded)
    first = seen[0].windows_total
    assert first is not None
    assert abs(first - work.decoded) <= work.decoded / 3, "the estimate is near"
    assert all(item.windows_done <= (item.windows_total or 0) for item in seen)
    for before, after in itertools.pairwise(seen):
        assert before.windows_done <= after.windows_done
        assert before.done_s <= after.done_s
        assert (before.fraction or 0.0) <= (after.fraction or 0.0)


@define(eq=False)
class Held:
    """The end of each recording, as its decoder tells it."""

    may_come: threading.Event = field(factory=threading.Event)
    came: threading.Event = field(factory=threading.Event)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held, put = Held(), Reader._put

    def after_the_gate(reader: Reader, message: object, body: bytes) -> None:
        if isinstance(message, Finished):
            held.may_come.wait(120)
            held.came.set()
        put(reader, message, body)

    monkeypatch.setattr(Reader, "_put", after_the_gate)
    yield held
    held.may_come.set()


def test_segments_do_not_wait_for_what_is_still_read(audio: Path, scripted: EnginePool, held: Held) -> None:
    notes = Notes()
    work = pipeline(audio / "clip02-en.wav", notes, scripted)
    steps = work.steps()
    first = next(segments for segments in steps if segments)
    assert not held.came.is_set()
    assert notes.segments == first
    assert work.transcript is None
    held.may_come.set()
    assert [segment for segments in steps for segment in segments] == []
    assert work.transcript is not None
    assert list(work.transcript.segments) == first


def test_cancelling_does_not_wait_for_what_is_still_read(audio: Path, scripted: EnginePool, held: Held) -> None:
    work = pipeline(audio / "clip02-en.wav", None, scripted)
    steps = work.steps()
    assert next(segments for segments in steps if segments)
    work.control.cancel()
    with pytest.raises(Cancelled):
        for _ in steps:
            pass
    assert not held.came.is_set()


def test_channels_apart_have_one_length(audio: Path, scripted: EnginePool) -> None:
    work = pipeline(audio / "call-stereo.wav", None, scripted, channels="separate")
    transcript = run(work)
    assert work.progress.total_s == pytest.approx(transcript.duration_s, abs=0.01)
    assert work.progress.done_s == pytest.approx(transcript.duration_s, abs=0.01)
    assert work.progress.windows_done == work.decoded


def test_a_truncated_recording_keeps_what_was_finished(audio: Path, tmp_path: Path, scripted: EnginePool) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes((audio / "talk.wav").read_bytes()[: 32_000 * 45])
    notes = Notes()
    with pytest.raises(TruncatedMedia) as raised:
        run(pipeline(path, notes, scripted))
    assert raised.value.transcript is not None
    assert tuple(notes.segments) == raised.value.transcript.segments


@pytest.mark.parametrize("seconds", [45, None], ids=["truncated", "whole"])
def test_the_last_window_is_kept_by_itself_only_where_no_transcript_comes_of_it(
    audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int | None
) -> None:
    all_read = threading.Event()
    arriving = Decoder.arriving

    def noted(decoder: Decoder, window_s: float, *, packed: bool) -> Iterator[Window | None]:
        yield from arriving(decoder, window_s, packed=packed)
        all_read.set()

    def heard(window: Window) -> str:
        if window.end_s >= (44 if seconds is not None else 303):
            assert all_read.wait(60)  # else it could be kept while it is not known that it is the last one
        return window_number(window)

    monkeypatch.setattr(Decoder, "arriving", noted)
    path, sound = tmp_path / "talk.wav", (audio / "talk.wav").read_bytes()
    path.write_bytes(sound if seconds is None else sound[: 32_000 * seconds])
    notes = Notes()
    with EnginePool(find=lambda _: ScriptedEngine(heard)) as pool:
        work = pipeline(path, notes, pool)
        work.keeps_transcript = True
        if seconds is not None:
            with pytest.raises(TruncatedMedia):
                run(work)
        else:
            run(work)
    assert len(notes.windows) == work.decoded - (seconds is None)
    assert work.progress.windows_done == work.decoded


def test_errors_name_the_recording_as_its_sender_did(tmp_path: Path, scripted: EnginePool) -> None:
    path = tmp_path / "0197"
    path.write_bytes(b"%PDF-1.7")
    work = pipeline(path, None, scripted)
    work.name = "talk.mp3"
    with pytest.raises(Exception, match=r"^talk\.mp3 is not audio"):
        run(work)


def test_a_download_that_stands_still_can_be_cancelled(audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def stand_still(*_: object, **__: object) -> None:
        go_on.wait(60)

    monkeypatch.setattr(ModelStore, "get", stand_still)
    work = pipeline(audio / "talk.wav")
    steps = work.steps()
    assert next(steps) == []
    work.control.cancel()
    with pytest.raises(Cancelled):
        next(steps)
    go_on.set()


def test_the_lane_reaches_the_pool(audio: Path, scripted: EnginePool, monkeypatch: pytest.MonkeyPatch) -> None:
    lanes: list[Lane] = []
    decode, detect = Lease.decode, Lease.detect_language

    def noted_decode(
        lease: Lease, window: Window, options: Options, control: Control, lane: Lane = "batch", *, how: Decode
    ) -> object:
        lanes.append(lane)
        return decode(lease, window, options, control, lane, how=how)

    def noted_detect(lease: Lease, window: Window, control: Control, lane: Lane = "batch") -> object:
        lanes.append(lane)
        return detect(lease, window, control, lane)

    monkeypatch.setattr(Lease, "decode", noted_decode)
    monkeypatch.setattr(Lease, "detect_language", noted_detect)
    run(pipeline(audio / "clip01-en.wav", None, scripted, lane="interactive"))
    assert set(lanes) == {"interactive"}
    assert len(lanes) >= 2


# ------------------------------------------------------------ who speaks


def turns_of(recording: str) -> list[Turn]:
    """When each voice really speaks, numbered as they begin."""
    rows = truth()[recording]["segments"]
    assert isinstance(rows, list)
    voices = list(dict.fromkeys(row["speaker"] for row in rows))
    return [Turn(row["start_s"], row["end_s"], voices.index(row["speaker"])) for row in rows]


def test_each_channel_is_a_speaker(audio: Path) -> None:
    transcript = run(pipeline(audio / "call-stereo.wav", channels="separate", diarization=Diarization(by="channel")))
    assert {one.name for one in transcript.speakers} == {"speaker_1", "speaker_2"}
    for segment in transcript.segments:
        name = f"speaker_{(segment.channel or 0) + 1}"
        assert {segment.speaker, *(word.speaker for word in segment.words)} == {name}
    without = run(pipeline(audio / "call-stereo.wav", channels="separate"))
    assert [one.text for one in transcript.segments] == [one.text for one in without.segments]


def test_voices_are_told_apart_word_by_word(audio: Path) -> None:
    diarizer = ScriptedDiarizer(turns_of("talk.wav"))
    work = pipeline(audio / "talk.wav", diarization=Diarization(by="voice", speakers=4), diarizer=diarizer)
    transcript = run(work)
    assert (diarizer.prepared, diarizer.asked) == (1, [4])
    assert [one.name for one in transcript.speakers] == [f"speaker_{number}" for number in (1, 2, 3, 4)]
    of_turn = [(turn.start_s, turn.end_s, f"speaker_{turn.speaker + 1}") for turn in turns_of("talk.wav")]
    for word in transcript.words:
        sure = [who for start_s, end_s, who in of_turn if start_s <= word.start_s and word.end_s <= end_s]
        assert not sure or word.speaker == sure[0]
    assert all({word.speaker for word in one.words} == {one.speaker} for one in transcript.segments)


def test_words_that_were_only_needed_for_speakers_are_not_kept(audio: Path) -> None:
    diarizer = ScriptedDiarizer([Turn(0.0, 2.0, 0), Turn(2.0, 9.0, 1)])
    work = pipeline(audio / "clip02-en.wav", options=Options(), diarization=Diarization(by="voice"), diarizer=diarizer)
    transcript = run(work)
    assert [one.speaker for one in transcript.segments] == ["speaker_1", "speaker_2"]
    assert transcript.words == ()
    assert transcript.text == run(pipeline(audio / "clip02-en.wav")).text


def test_words_that_nobody_asked_for_are_not_aligned(
    audio: Path, engine: ScriptedEngine, scripted: EnginePool, tmp_path: Path
) -> None:
    speech = samples("clip02-en.wav")
    path = write_wav(tmp_path / "twice.wav", np.concatenate((speech, silence(20), speech)))
    _ = run(pipeline(path, pool=scripted, options=Options(), vad=Vad()))
    voices = ScriptedDiarizer([Turn(0.0, 2.0, 0), Turn(2.0, 9.0, 1)])
    _ = run(pipeline(path, pool=scripted, options=Options(), diarization=Diarization(by="voice"), diarizer=voices))
    assert {(options.words, options.word_times) for _, options in engine.calls} == {(True, "tokens")}
    _ = run(pipeline(audio / "clip02-en.wav", pool=scripted))
    assert engine.calls[-1][1].word_times == "dtw"


def test_a_run_with_speakers_goes_on(audio: Path, scripted: EnginePool) -> None:
    diarizer = ScriptedDiarizer([Turn(0.0, 60.0, 0), Turn(55.0, 400.0, 1)])
    by_voice = Diarization(by="voice")
    undisturbed = run(pipeline(audio / "talk.wav", None, scripted, diarization=by_voice, diarizer=diarizer))
    notes = Notes()
    work = pipeline(audio / "talk.wav", notes, scripted, diarization=by_voice, diarizer=diarizer)
    notes.on_keep = lambda: work.control.cancel() if len(notes.windows) > 8 else None
    with pytest.raises(Cancelled):
        run(work)
    notes.on_keep = lambda: None
    again = pipeline(audio / "talk.wav", notes, scripted, diarization=by_voice, diarizer=diarizer)
    assert run(again) == undisturbed
    assert tuple(notes.segments) == undisturbed.segments
    assert {one.speaker for one in undisturbed.segments} == {"speaker_1", "speaker_2"}


def test_diarizing_is_a_stage_that_moves(audio: Path, scripted: EnginePool) -> None:
    heard: list[Progress] = []

    class Watched(ScriptedDiarizer):
        def diarize(
            self, windows: Iterable[Window], *, speakers: int | None, control: Control, on_heard: OnHeard | None = None
        ) -> tuple[Turn, ...]:
            def noted(done_s: float) -> None:
                assert on_heard is not None
                on_heard(done_s)
                heard.append(work.progress)

            return super().diarize(windows, speakers=speakers, control=control, on_heard=noted)

    work = pipeline(audio / "talk.wav", None, scripted, diarization=Diarization(by="voice"), diarizer=Watched())
    assert run(work).speakers == ()
    assert {one.stage for one in heard} == {"diarizing"}
    fractions = [one.fraction or 0.0 for one in heard]
    assert 0 < fractions[0] < fractions[-1] == pytest.approx(1.0)
    assert fractions == sorted(fractions)


def test_cancelling_while_voices_are_told_apart(audio: Path, scripted: EnginePool) -> None:
    class Slow(ScriptedDiarizer):
        def diarize(
            self, windows: Iterable[Window], *, speakers: int | None, control: Control, on_heard: OnHeard | None = None
        ) -> tuple[Turn, ...]:
            next(iter(windows))
            work.control.cancel()
            return super().diarize(windows, speakers=speakers, control=control, on_heard=on_heard)

    work = pipeline(audio / "talk.wav", None, scripted, diarization=Diarization(by="voice"), diarizer=Slow())
    with pytest.raises(Cancelled):
        run(work)


def test_a_truncated_recording_is_diarized_as_far_as_it_goes(audio: Path, tmp_path: Path, scripted: EnginePool) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes((audio / "talk.wav").read_bytes()[: 32_000 * 45])
    diarizer = ScriptedDiarizer([Turn(0.0, 400.0, 0)])
    work = pipeline(path, None, scripted, diarization=Diarization(by="voice"), diarizer=diarizer)
    work.keep_damaged = True
    transcript = run(work)
    assert transcript.damage is not None
    assert {one.speaker for one in transcript.segments} == {"speaker_1"}
