"""Speech to text through OpenAI's own client: every format, events, errors, and what is kept."""

from __future__ import annotations

import asyncio
import io
import json
import math
from collections.abc import Callable
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import openai
import pytest
import webvtt
from pysubs2 import SSAFile

from tests.api.openai.conftest import Held, OpenAi, openai_client
from tests.both_clients import Both
from tests.live import Live
from tests.speech import in_languages, write_wav
from tests.visitor import Visitor, registered
from tests.voices import conversation, make_models
from tests.waiting import until
from whispercore.api.openai.transcription import VerboseTranscription
from whispercore.audio.readers import Reader, Readers
from whispercore.contract.wire import loads, patiently
from whispercore.engines.capabilities import Capabilities
from whispercore.errors import EngineFailed, InvalidRequest, NotFound
from whispercore.files.files import Files
from whispercore.files.manifest import Staged
from whispercore.models.voices import VoiceModels
from whispercore.speakers.sherpa import diarizer
from whispercore.tasks.answers import Answers
from whispercore.tasks.options import TranscribeOptions
from whispercore.testing import ScriptedEngine
from whispercore_server.plugins.openai import patience, wish
from whispercore_server.presence import LOOK_S

SAID = "the teacher is in the station"
one_kind = pytest.mark.parametrize("kind", ["async"])
"""Of OpenAI's client: what is tested is how the server behaves."""


def create(clip: Path, **options: Any) -> Callable[[Any], Any]:
    """The call of OpenAI's client."""
    return lambda client: client.audio.transcriptions.create(
        file=clip, **{"model": "micro", "language": "en", **options}
    )


def kept(visitor: Visitor) -> tuple[int, int]:
    """How many jobs and files somebody has."""
    return visitor.get("/api/v1/jobs").json()["total"], visitor.get("/api/v1/files").json()["total"]


# ------------------------------------------------------------ formats


async def test_json_is_the_text(speech: OpenAi, newcomer: Visitor, clip: Path) -> None:
    found = await speech.call(create(clip))
    assert found.text == SAID
    assert (found.usage.type, found.usage.seconds) == ("duration", 2.72)
    assert found.logprobs is None
    await until(lambda: kept(newcomer) == (0, 0))


async def test_text_is_nothing_else(speech: OpenAi, clip: Path) -> None:
    assert await speech.call(create(clip, response_format="text")) == f"{SAID}\n"


async def test_srt_is_subtitles(speech: OpenAi, clip: Path) -> None:
    assert await speech.call(create(clip, response_format="srt")) == f"1\n00:00:00,320 --> 00:00:02,220\n{SAID}\n"


async def test_vtt_is_subtitles(speech: OpenAi, clip: Path) -> None:
    (cue,) = webvtt.from_string(await speech.call(create(clip, response_format="vtt"))).captions
    assert (cue.start, cue.end, cue.text) == ("00:00:00.320", "00:00:02.220", SAID)


async def test_verbose_json_has_segments_that_tell_how_far_they_can_be_believed(speech: OpenAi, clip: Path) -> None:
    found = await speech.call(create(clip, response_format="verbose_json", temperature=0.2))
    assert (found.text, found.language, found.duration, found.words) == (SAID, "english", 2.72, None)
    assert found.no_speech is False
    (segment,) = found.segments
    assert (segment.id, segment.start, segment.end, segment.seek) == (0, 0.32, 2.22, 32)
    assert segment.text == SAID
    assert segment.temperature == 0.2
    assert -1 < segment.avg_logprob <= 0
    assert 0 <= segment.no_speech_prob < 0.6
    assert 0 < segment.compression_ratio < 2.4
    assert segment.verdict == "good"


@one_kind
async def test_where_nobody_speaks_it_is_told(speech: OpenAi, tmp_path: Path) -> None:
    silence = write_wav(tmp_path / "silence.wav", np.zeros(16_000, np.float32))
    found = await speech.call(create(silence, response_format="verbose_json"))
    assert (found.text, found.segments, found.no_speech) == ("", [], True)


@one_kind
async def test_what_is_made_up_can_be_left_out(speech: OpenAi, clip: Path) -> None:
    """Fields that their client does not know."""
    aids = {"hallucinations": "drop", "cut_loops": True, "condition_on_previous_text": True}
    assert (await speech.call(create(clip, extra_body=aids))).text == SAID
    with pytest.raises(openai.BadRequestError, match="hallucinations"):
        await speech.call(create(clip, extra_body={"hallucinations": "hide"}))


@pytest.mark.parametrize("wanted", [["word"], ["word", "segment"]], ids="-".join)
async def test_verbose_json_has_times_of_what_was_asked_for(speech: OpenAi, clip: Path, wanted: list[str]) -> None:
    found = await speech.call(create(clip, response_format="verbose_json", timestamp_granularities=wanted))
    assert (found.segments is not None) == ("segment" in wanted)
    assert (found.words is not None) == ("word" in wanted)
    if found.words is not None:
        assert [one.word for one in found.words] == SAID.split()
        times = [time for one in found.words for time in (one.start, one.end)]
        assert times == sorted(times)


@one_kind
async def test_verbose_json_has_the_language_of_each_segment(speech: OpenAi, tmp_path: Path) -> None:
    mixed = in_languages(tmp_path / "mixed.wav", "clip01-en.wav", "clip13-de.wav")
    switching = {"language": openai.NOT_GIVEN, "extra_body": {"code_switching": True}}
    found = await speech.call(create(mixed, response_format="verbose_json", **switching))
    assert [one.language for one in found.segments] == ["english", "german"]


@pytest.mark.parametrize("allowed", [["de", "fr"], ["german"]], ids="-".join)
@one_kind
async def test_only_what_may_be_spoken_is_heard(speech: OpenAi, clip: Path, allowed: list[str]) -> None:
    of_these = {"language": openai.NOT_GIVEN, "languages": allowed}
    found = await speech.call(create(clip, response_format="verbose_json", **of_these))
    assert found.language in ("german", "french")
    likely = [one["code"] for one in found.likely_languages or ()]
    assert sorted(likely) == (["de", "fr"] if len(allowed) > 1 else [])


@one_kind
async def test_logprobs_of_all_words_are_the_whole_text(speech: OpenAi, clip: Path) -> None:
    found = await speech.call(create(clip, include=["logprobs"]))
    assert "".join(one.token for one in found.logprobs) == found.text == SAID
    assert all(bytes(map(int, one.bytes)).decode() == one.token for one in found.logprobs)
    assert all(-5 < one.logprob <= 0 for one in found.logprobs)


@one_kind
async def test_pauses_stay_as_the_strategy_says(
    kind: str, scripted: Callable[[ScriptedEngine], Live], tmp_path: Path
) -> None:
    sound = in_languages(tmp_path / "pauses.wav", "clip01-en.wav", "clip02-en.wav", pause_s=0.3)
    server = scripted(ScriptedEngine(lambda window: f"{window.duration_s:.2f}"))

    async def heard_s(strategy: str | dict[str, Any]) -> float:
        return float((await speech.call(create(sound, chunking_strategy=strategy))).text)

    async with openai_client(kind, server.url, server.admin_key) as speech:
        usual_s = await heard_s("auto")
        assert await heard_s({"type": "server_vad"}) == usual_s
        assert await heard_s({"type": "server_vad", "silence_duration_ms": 100, "prefix_padding_ms": 0}) < usual_s - 0.3
        assert await heard_s({"type": "server_vad", "threshold": 1.0}) < usual_s


@one_kind
async def test_the_engine_is_told_which_words_to_expect(
    kind: str, scripted: Callable[[ScriptedEngine], Live], clip: Path
) -> None:
    engine = ScriptedEngine()
    server = scripted(engine)
    async with openai_client(kind, server.url, server.admin_key) as speech:
        await speech.call(create(clip, prompt="Ada and Grace", temperature=0.4))
        await speech.call(create(clip))
    asked = [(options.prompt, options.temperature) for _, options in engine.calls]
    assert asked == [("Ada and Grace", 0.4), (None, 0.0)]


@pytest.fixture
def voices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that tell tones apart as real ones tell voices."""

    def with_tones(settings: Any) -> VoiceModels:
        return VoiceModels(settings, catalogue=make_models(settings.models_dir))

    monkeypatch.setattr(diarizer, "VoiceModels", with_tones)
    # Tones are no speech, and would be left out.
    monkeypatch.setattr(wish, "TranscribeOptions", partial(TranscribeOptions, vad=None))
    monkeypatch.setenv("WHISPERCORE_VOICE_MODEL", "tones-embedding")


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "conversation.wav", conversation())


@pytest.mark.usefixtures("voices")
async def test_diarized_json_tells_who_says_what(
    kind: str, scripted: Callable[[ScriptedEngine], Live], spoken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHISPERCORE_MODELS", str(tmp_path / "models"))
    server = scripted(ScriptedEngine(lambda window: " ".join(f"w{at}" for at in range(round(window.duration_s)))))
    async with openai_client(kind, server.url, server.admin_key) as speech:
        found = await speech.call(create(spoken, response_format="diarized_json", chunking_strategy="auto"))
        assert [who for who, _ in groupby(one.speaker for one in found.segments)] == ["A", "B", "A", "B"]
        assert {one.type for one in found.segments} == {"transcript.text.segment"}
        assert " ".join(one.text for one in found.segments) == found.text
        assert (found.task, found.duration) == ("transcribe", 21.0)
        events = await speech.events(create(spoken, response_format="diarized_json", stream=True))
    told = [one for one in events if one.type == "transcript.text.segment"]
    assert [(one.id, one.speaker, one.text) for one in told] == [
        (one.id, one.speaker, one.text) for one in found.segments
    ]
    assert [one.segment_id for one in events if one.type == "transcript.text.delta"] == [one.id for one in told]
    assert (events[-1].type, events[-1].text) == ("transcript.text.done", found.text)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
async def test_translations_are_english_in_every_format(speech: OpenAi, newcomer: Visitor, audio: Path) -> None:
    def translated(**options: Any) -> Callable[[Any], Any]:
        return lambda c: c.audio.translations.create(file=audio / "clip13-de.wav", model="micro", **options)

    found = await speech.call(translated(response_format="verbose_json"))
    assert (found.language, found.duration) == ("english", 2.986)
    text = found.text
    assert (await speech.call(translated())).text == text
    assert await speech.call(translated(response_format="text")) == f"{text}\n"
    assert text.split()[0] in await speech.call(translated(response_format="srt"))
    assert (await speech.call(translated(response_format="vtt"))).startswith("WEBVTT")
    await until(lambda: kept(newcomer) == (0, 0))


@one_kind
async def test_the_default_model_has_the_name_that_programs_ask_for(speech: OpenAi, clip: Path) -> None:
    assert (await speech.call(create(clip, model="whisper-1"))).text == SAID


async def test_what_is_not_known_is_ignored_and_brackets_may_be_missing(newcomer: Visitor, clip: Path) -> None:
    fields = {"response_format": "verbose_json", "timestamp_granularities": "word", "best_of": "5"}
    answer = newcomer.upload(clip, "/v1/audio/transcriptions?api-version=2026", language="en", **fields)
    assert answer.status_code == 200
    assert [one["word"] for one in answer.json()["words"]] == SAID.split()


# ------------------------------------------------------------ events


async def test_events_come_while_it_is_transcribed(speech: OpenAi, newcomer: Visitor, minutes: Path) -> None:
    events = await speech.events(create(minutes, stream=True, include=["logprobs"]))
    *deltas, done = events
    assert {one.type for one in deltas} == {"transcript.text.delta"}
    assert len(deltas) > 3
    assert "".join(one.delta for one in deltas) == done.text
    assert [one.token for each in deltas for one in each.logprobs] == [one.token for one in done.logprobs]
    assert "".join(one.token for one in done.logprobs) == done.text
    assert all(math.isfinite(one.logprob) for one in done.logprobs)
    assert done.type == "transcript.text.done"
    await until(lambda: kept(newcomer) == (0, 0))


@one_kind
async def test_what_fails_in_the_middle_is_the_last_event(
    kind: str, scripted: Callable[[ScriptedEngine], Live], minutes: Path
) -> None:
    server = scripted(ScriptedEngine(lambda window: "so far" if window.index == 0 else EngineFailed("it is broken")))
    async with openai_client(kind, server.url, server.admin_key) as speech:
        with pytest.raises(openai.APIError, match="it is broken"):
            await speech.events(create(minutes, stream=True))
        with pytest.raises(openai.InternalServerError):
            await speech.call(create(minutes))


# ------------------------------------------------------------ those who wait, go away, or come again


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "events"])
async def test_who_goes_away_stops_the_engine(
    scripted: Callable[[ScriptedEngine], Live], minutes: Path, *, stream: bool
) -> None:
    recording = await asyncio.to_thread(minutes.read_bytes)
    engine = Held(window=1)
    owner = registered(scripted(engine))
    async with aiohttp.ClientSession(headers=dict(owner.headers)) as session:
        form = aiohttp.FormData({"model": "micro", "language": "en", "stream": str(stream).lower()})
        form.add_field("file", io.BytesIO(recording), filename="minutes.wav")
        asking = asyncio.ensure_future(session.post(f"{owner.server.url}/v1/audio/transcriptions", data=form))
        await until(engine.holds.is_set)
        if stream:
            answer = await asking
            assert (await answer.content.readline()).startswith(b"event: transcript.text.delta")
            answer.close()
        asking.cancel()
    await until(engine.was_stopped.is_set)
    await until(lambda: kept(owner) == (0, 0))


async def test_who_goes_away_while_something_is_sent_to_him_stops_the_engine(
    scripted: Callable[[ScriptedEngine], Live], minutes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget = Answers.forget

    async def slowly(answers: Answers, job_id: str, owner_id: str) -> None:
        await asyncio.sleep(2 * LOOK_S)  # meanwhile it is seen that he has gone
        await forget(answers, job_id, owner_id)

    monkeypatch.setattr(Answers, "forget", slowly)
    monkeypatch.setattr(patience, "QUIET_S", 0.005)
    engine = Held(window=1)
    owner = registered(scripted(engine))
    async with aiohttp.ClientSession(headers=dict(owner.headers)) as session:
        form = aiohttp.FormData({"model": "micro", "language": "en", "stream": "true"})
        form.add_field("file", io.BytesIO(await asyncio.to_thread(minutes.read_bytes)), filename="minutes.wav")
        answer = await session.post(f"{owner.server.url}/v1/audio/transcriptions", data=form)
        await until(engine.holds.is_set)
        answer.close()
    await until(engine.was_stopped.is_set)
    await until(lambda: kept(owner) == (0, 0))


@pytest.mark.parametrize("response_format", ["json", "srt", "vtt"])
@one_kind
async def test_the_connection_is_kept_alive_by_what_means_nothing(
    speech: OpenAi, newcomer: Visitor, clip: Path, response_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "QUIET_S", 0.005)
    fields = {"response_format": response_format, "language": "en"}
    text = newcomer.upload(clip, "/v1/audio/transcriptions", **fields).text
    found = await speech.call(create(clip, response_format=response_format))
    if response_format == "json":
        assert text.startswith("  ")
        assert json.loads(text)["text"] == found.text == SAID
    else:
        assert text.count("\n\n\n") > 0
        cues = webvtt.from_string(found).captions if response_format == "vtt" else SSAFile.from_string(found)
        assert [one.text for one in cues] == [SAID]


@one_kind
async def test_events_are_kept_alive_by_comments(speech: OpenAi, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "QUIET_S", 0.005)
    assert [one.type for one in await speech.events(create(clip, stream=True))] == [
        "transcript.text.delta",
        "transcript.text.done",
    ]


@one_kind
async def test_who_prefers_a_job_gets_one(speech: OpenAi, newcomer: Visitor, bob: Visitor, clip: Path) -> None:
    raw = await speech.call(
        lambda c: c.audio.transcriptions.with_raw_response.create(
            file=clip, model="micro", language="en", extra_headers={"Prefer": "wait=1, respond-async"}
        )
    )
    job = raw.http_response.json()
    where = raw.headers["Location"]
    assert (raw.status_code, raw.headers["Preference-Applied"]) == (202, "respond-async")
    assert where == f"/v1/audio/transcriptions/{job['id']}"
    assert job["object"] == "audio.transcription.job"
    newcomer.finished(job["id"])
    assert newcomer.get(where).json()["text"] == SAID
    assert newcomer.get(where, params={"response_format": "text"}).text == f"{SAID}\n"
    refused = newcomer.get(where, params={"response_format": "diarized_json"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "response_format")
    assert bob.get(where).status_code == 404
    assert kept(newcomer) == (1, 1)


@pytest.fixture
def wav(clip: Path) -> bytes:
    return clip.read_bytes()


async def test_a_job_that_is_not_over_is_202_and_one_that_was_cancelled_409(
    scripted: Callable[[ScriptedEngine], Live], wav: bytes
) -> None:
    engine = Held()
    owner = registered(scripted(engine))
    made = owner.post(
        "/v1/audio/transcriptions",
        headers={"Prefer": "respond-async"},
        files={"file": ("clip.wav", wav)},
    )
    where = made.headers["Location"]
    await until(engine.holds.is_set)
    seen = owner.get(where)
    assert (seen.status_code, seen.json()["status"], seen.json()["progress"]) == (202, "in_progress", 0)
    owner.post(f"/api/v1/jobs/{made.json()['id']}/cancel")
    assert owner.get(where).status_code == 409


@one_kind
async def test_what_is_to_be_stored_is_kept(speech: OpenAi, newcomer: Visitor, clip: Path) -> None:
    raw = await speech.call(
        lambda c: c.audio.transcriptions.with_raw_response.create(
            file=clip, model="micro", language="en", extra_body={"store": True}
        )
    )
    assert raw.parse().text == SAID
    job = newcomer.get(f"/api/jobs/{raw.headers['X-Job-ID']}").json()
    assert (job["status"], job["transcript"]["text"]) == ("completed", SAID)
    assert kept(newcomer) == (1, 1)


@pytest.mark.parametrize("store", [False, True], ids=["answer", "kept"])
async def test_a_short_recording_is_read_once_and_on_the_disk_only_if_it_is_to_stay(
    scripted: Callable[[ScriptedEngine], Live], clip: Path, monkeypatch: pytest.MonkeyPatch, *, store: bool
) -> None:
    taken: list[Readers] = []
    secured: list[str] = []
    take, secure = Readers.take, Files.secured

    def spied(readers: Readers, *, sealed: bool = False) -> Reader:
        taken.append(readers)
        return take(readers, sealed=sealed)

    async def watched(files: Files, staged: Staged) -> None:
        secured.append(staged.id)
        await secure(files, staged)

    monkeypatch.setattr(Readers, "take", spied)
    monkeypatch.setattr(Files, "secured", watched)
    monkeypatch.setattr("whispercore.tasks.shelf._LASTS_S", 3600.0)  # however slow this machine is
    owner = registered(scripted(ScriptedEngine()))
    answer = await asyncio.to_thread(
        owner.upload, clip, "/v1/audio/transcriptions", language="en", store=str(store).lower()
    )
    assert answer.status_code == 200
    assert len(taken) == 1
    assert len(secured) == store


# ------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"model": "gpt-4o-transcribe"}, (404, "model_not_found", "model")),
        ({"language": "xx"}, (400, "validation_error", "language")),
        ({"language": openai.NOT_GIVEN, "languages": ["xx"]}, (400, "validation_error", "languages")),
        ({"language": "en", "languages": ["de"]}, (400, "validation_error", "languages[]")),
        ({"model": "large-v3"}, (400, "model_not_available", "model")),
        ({"temperature": 1.5}, (400, "validation_error", "temperature")),
        ({"response_format": "yaml"}, (400, "validation_error", "response_format")),
        ({"response_format": "diarized_json"}, (400, "validation_error", "response_format")),
        ({"response_format": "srt", "stream": True}, (400, "validation_error", "stream")),
        ({"response_format": "text", "include": ["logprobs"]}, (400, "validation_error", "include[]")),
        ({"timestamp_granularities": ["word"]}, (400, "validation_error", "timestamp_granularities[]")),
        ({"known_speaker_names": ["ann"]}, (400, "validation_error", "known_speaker_names[]")),
        (
            {"chunking_strategy": {"type": "server_vad", "threshold": 3}},
            (400, "validation_error", "chunking_strategy[threshold]"),
        ),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
@one_kind
async def test_what_cannot_be_is_refused_as_openai_would(
    speech: OpenAi, newcomer: Visitor, clip: Path, options: dict[str, Any], told: tuple[int, str, str | None]
) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        await speech.call(create(clip, **options))
    error = caught.value
    assert (error.status_code, error.code, error.param) == told
    assert error.type == "invalid_request_error"
    assert kept(newcomer) == (0, 0)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"prompt": "Zoë"}, "prompt"),
        ({"temperature": 0.5}, "temperature"),
        ({"response_format": "verbose_json", "timestamp_granularities": ["word"]}, "timestamp_granularities[]"),
        ({"include": ["logprobs"]}, "include[]"),
        ({"language": openai.NOT_GIVEN, "extra_body": {"code_switching": True}}, "code_switching"),
        ({"language": openai.NOT_GIVEN, "languages": ["en", "de"]}, "languages[]"),
    ],
)
@one_kind
async def test_what_the_engine_cannot_do_is_refused_as_openai_would(
    kind: str, scripted: Callable[[ScriptedEngine], Live], clip: Path, options: dict[str, Any], field: str
) -> None:
    server = scripted(ScriptedEngine(can=Capabilities(max_window_s=30.0)))
    async with openai_client(kind, server.url, server.admin_key) as speech:
        with pytest.raises(openai.BadRequestError, match="the engine whisper-cpp") as caught:
            await speech.call(create(clip, **options))
    error = caught.value
    assert (error.code, error.param, error.type) == ("validation_error", field, "invalid_request_error")


@pytest.mark.parametrize("sound", [b"x" * 5000, b""], ids=["no recording", "empty"])
@one_kind
async def test_what_is_no_recording_is_refused_and_not_kept(speech: OpenAi, newcomer: Visitor, sound: bytes) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        await speech.call(lambda c: c.audio.transcriptions.create(file=("talk.wav", sound), model="micro"))
    assert (caught.value.status_code, caught.value.code) == (415, "not_media")
    assert kept(newcomer) == (0, 0)


@one_kind
async def test_who_has_no_key_is_told_as_openai_would(kind: str, server: Live, clip: Path) -> None:
    async with openai_client(kind, server.url, "sk-wrong") as speech:
        with pytest.raises(openai.AuthenticationError) as caught:
            await speech.call(create(clip))
    assert caught.value.code == "invalid_api_key"


def test_paths_that_lead_nowhere_are_answered_in_its_dialect(newcomer: Visitor) -> None:
    error = newcomer.get("/v1/chat/completions").json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "not_found")


# ------------------------------------------------------------ our own clients


async def test_our_own_clients_have_it_too(client: Both, clip: Path) -> None:
    text = await client.download(
        lambda c: c.openai.audio.transcribe(
            file=clip, model="micro", response_format="verbose_json", timestamp_granularities=["word"]
        ),
        lambda file: file.read(),
    )
    found = patiently(loads(text), VerboseTranscription)
    assert (found.text, [one.word for one in found.words or ()]) == (SAID, SAID.split())
    english = await client.download(
        lambda c: c.openai.audio.translate(file=io.BytesIO(clip.read_bytes()), response_format="text"),
        lambda file: file.read(),
    )
    assert english.decode().strip()
    made = await client.download(
        lambda c: c.openai.audio.transcribe(file=clip, prefer="respond-async"), lambda file: file.read()
    )
    job_id = json.loads(made)["id"]
    await client.call(lambda c: c.wait(job_id))
    there = await client.download(lambda c: c.openai.audio.get(job_id), lambda file: file.read())
    assert json.loads(there)["text"] == SAID
    with pytest.raises(NotFound):
        await client.download(lambda c: c.openai.audio.transcribe(file=clip, model="none"), lambda _: None)
    with pytest.raises(InvalidRequest):
        await client.download(lambda c: c.openai.audio.transcribe(file=clip, language="xx"), lambda _: None)
