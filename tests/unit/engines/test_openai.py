"""A server as an engine: what it is asked, how its answers are read, and what happens when it fails."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web
from attrs import evolve

import whispercore
from tests.speech import AUDIO
from tests.speech_server import SpeechServerStandIn, once, refusal, speech_server
from whispercore.engines.engine import SAMPLE_RATE, Control, MakeEngine, Options, Window
from whispercore.engines.openai.answers import read, segments
from whispercore.engines.openai.engine import OpenAI
from whispercore.engines.pool import EnginePool
from whispercore.errors import Cancelled, EngineFailed, InvalidOption, UnknownModel
from whispercore.models.store import ModelStore
from whispercore.outgoing.retry_after import retry_after_s
from whispercore.outgoing.speech_server import Patience
from whispercore.settings import Settings

KEY = "sk-never-told-to-anybody"
QUICK = Patience(attempts=3, answer_s=5.0, wait_s=lambda _: 0.0)
WINDOW = Window(index=1, start_s=60.0, samples=bytes(4 * 2 * SAMPLE_RATE), channel=1)
ENGLISH = Options(language="en")


@pytest.fixture
def server() -> Iterator[SpeechServerStandIn]:
    with speech_server() as stand_in:
        yield stand_in


def settings_of(server: SpeechServerStandIn) -> Settings:
    return Settings(openai_url=server.url, openai_key=KEY, openai_models=("whisper-1", "org/other"))


@pytest.fixture
def engine(server: SpeechServerStandIn) -> Iterator[OpenAI]:
    engine = OpenAI(Path("whisper-1"), sha256="0" * 64, settings=settings_of(server), patience=QUICK)
    yield engine
    engine.unload()


def test_what_is_asked(engine: OpenAI, server: SpeechServerStandIn) -> None:
    options = Options(language="de", prompt="Müller", temperature=0.5, words=True)
    engine.decode([WINDOW], options, Control())
    engine.decode([WINDOW], Options(language="de", translate=True), Control())
    asked, translated = server.asked
    assert asked == {
        "path": ["/v1/audio/transcriptions"],
        "key": [f"Bearer {KEY}"],
        "seconds": ["2"],
        "model": ["whisper-1"],
        "response_format": ["verbose_json"],
        "temperature": ["0.5"],
        "prompt": ["Müller"],
        "language": ["de"],
        "timestamp_granularities[]": ["word", "segment"],
    }
    assert translated["path"] == ["/v1/audio/translations"]
    assert "language" not in translated


def test_times_are_of_the_recording_and_words_as_they_are_written(engine: OpenAI) -> None:
    (decoded,) = engine.decode([WINDOW], Options(language="en", words=True), Control())
    first, second = decoded.segments
    assert (first.text, first.start_s, first.end_s, first.channel) == ("Hello, there.", 60.0, 61.0, 1)
    assert first.confidence == pytest.approx(0.9048)
    assert first.quality is not None
    assert (first.quality.avg_logprob, first.quality.no_speech_prob, first.quality.verdict) == (-0.1, 0.2, "good")
    assert second.quality is not None
    assert second.quality.no_speech_prob is None
    assert (second.start_s, second.end_s) == (61.0, 62.0), "30 s, as it says, is behind the sound"
    assert [(word.text, word.start_s) for word in (*first.words, *second.words)] == [
        ("Hello,", 60.0),
        ("there.", 60.5),
        ("Good", 61.0),
        ("bye.", 61.5),
    ]


def test_a_model_that_gives_only_text(engine: OpenAI, server: SpeechServerStandIn) -> None:
    server.plain = True
    for _ in range(2):
        (decoded,) = engine.decode([WINDOW], ENGLISH, Control())
        assert [(one.text, one.start_s, one.end_s) for one in decoded.segments] == [
            ("Hello, there. Good bye.", 60.0, 62.0)
        ]
    assert [one["response_format"] for one in server.asked] == [["verbose_json"], ["json"], ["json"]]
    with pytest.raises(InvalidOption, match="does not tell which"):
        engine.detect_language(WINDOW, Control())


def test_the_language_is_heard_in_half_a_minute(engine: OpenAI, server: SpeechServerStandIn) -> None:
    server.language = "German"
    found = engine.detect_language(Window(index=0, start_s=0.0, samples=bytes(4 * 40 * SAMPLE_RATE)), Control())
    assert found.code == "de"
    assert server.asked[0]["seconds"] == ["30"]


def test_what_may_pass_is_tried_again(
    engine: OpenAI, server: SpeechServerStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    async def hung_up(http: web.Request) -> web.StreamResponse:
        assert http.transport is not None
        http.transport.abort()
        return web.Response()

    server.first = [once(lambda: refusal(429, f"slow down, {KEY}", headers={"Retry-After": "0"})), hung_up]
    with caplog.at_level(logging.DEBUG):
        assert engine.decode([WINDOW], ENGLISH, Control())[0].segments
    assert len(server.asked) == 3
    assert "attempt 1" in caplog.text
    assert KEY not in caplog.text


def test_it_gives_up_after_so_many(engine: OpenAI, server: SpeechServerStandIn) -> None:
    server.first = [once(lambda: refusal(503, "overloaded"))] * 3
    with pytest.raises(EngineFailed, match="status 503: overloaded"):
        engine.decode([WINDOW], ENGLISH, Control())
    assert len(server.asked) == 3


def test_it_comes_again_when_it_is_told_to(engine: OpenAI, server: SpeechServerStandIn) -> None:
    server.first = [once(lambda: refusal(429, "slow down", headers={"Retry-After": "86400"}))]
    with pytest.raises(EngineFailed, match="asked again in 86400 s"):
        engine.decode([WINDOW], ENGLISH, Control())
    assert len(server.asked) == 1, "nobody waits for a day"
    soon = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3000 < retry_after_s(soon) <= 3600
    assert [retry_after_s(text) for text in (None, "7", "-1", "soon", "9" * 20)] == [0.0, 7.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_a_refusal_is_told_at_once_and_without_the_key(
    engine: OpenAI, server: SpeechServerStandIn, status: int
) -> None:
    server.first = [once(lambda: refusal(status, f"Incorrect API key provided: {KEY}."))]
    with pytest.raises(EngineFailed) as caught:
        engine.decode([WINDOW], ENGLISH, Control())
    assert f"status {status}: Incorrect API key provided: ***." in str(caught.value)
    assert len(server.asked) == 1


def test_the_key_goes_nowhere_else(engine: OpenAI, server: SpeechServerStandIn) -> None:
    there = server.url + "/audio/transcriptions"
    server.first = [once(lambda: web.Response(status=307, headers={"Location": there}))]
    with pytest.raises(EngineFailed, match="redirects"):
        engine.decode([WINDOW], ENGLISH, Control())
    assert len(server.asked) == 1
    assert KEY not in repr(settings_of(server))


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"text": 1}', '{"text": "a", "segments": [{"text": "a"}]}'])
def test_an_answer_that_is_none(engine: OpenAI, server: SpeechServerStandIn, body: str) -> None:
    server.first = [once(lambda: web.Response(text=body))]
    with pytest.raises(EngineFailed, match="no transcript"):
        engine.decode([WINDOW], ENGLISH, Control())


def test_more_text_than_anybody_says(engine: OpenAI, server: SpeechServerStandIn) -> None:
    """Judging it would take hours."""
    server.first = [once(lambda: web.json_response({"text": "word " * 20_000}))]
    with pytest.raises(EngineFailed, match="more text than anybody says"):
        engine.decode([WINDOW], ENGLISH, Control())


def test_an_endless_answer(engine: OpenAI, server: SpeechServerStandIn) -> None:
    async def endless(http: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(http)
        for _ in range(17):
            await answer.write(bytes(1 << 20))
        return answer

    server.first = [endless]
    with pytest.raises(EngineFailed, match="more than 16 MB"):
        engine.decode([WINDOW], ENGLISH, Control())


def test_a_server_that_is_not_there(server: SpeechServerStandIn) -> None:
    settings = evolve(settings_of(server), openai_url="http://127.0.0.1:9/v1")
    engine = OpenAI(Path("whisper-1"), sha256="0" * 64, settings=settings, patience=QUICK)
    with pytest.raises(EngineFailed, match="no connection"):
        engine.decode([WINDOW], ENGLISH, Control())
    engine.unload()


@pytest.mark.parametrize("unload", [False, True])
def test_a_call_that_hangs_can_be_stopped(engine: OpenAI, server: SpeechServerStandIn, *, unload: bool) -> None:
    begun = threading.Event()

    async def hang(_http: web.Request) -> web.StreamResponse:
        begun.set()
        await asyncio.sleep(60)
        return web.Response()

    server.first = [hang]
    control = Control()

    def stop() -> None:
        begun.wait(60)
        if unload:
            engine.unload()
        else:
            control.cancel()

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(Cancelled):
        engine.decode([WINDOW], ENGLISH, control)
    thread.join()
    assert engine.decode([WINDOW], ENGLISH, Control())[0].segments, "it can be used again"


def test_times_that_make_no_sense() -> None:
    said = (
        '{"text": "x", "segments": [{"text": "late", "start": 9e99, "end": -5}, {"text": " ", "start": 0, "end": 1},'
        ' {"text": "早安", "start": 0, "end": 1, "avg_logprob": 3,'
        ' "words": [{"word": "早", "start": -1, "end": 7}, {"word": "安", "start": 0, "end": 0}]}]}'
    )
    found = segments(read(said.encode(), "host"), WINDOW, words=True)
    assert [(one.text, one.start_s, one.end_s) for one in found] == [("late", 62.0, 62.0), ("早安", 62.0, 62.0)]
    assert [word.text for word in found[1].words] == ["早", "安"]
    assert found[1].confidence == 1.0


def test_a_recording_by_the_name_of_a_model(server: SpeechServerStandIn) -> None:
    with EnginePool(find=_openai) as pool:
        stream = whispercore.stream(
            AUDIO / "jfk.wav", model="openai:whisper-1", settings=settings_of(server), pool=pool
        )
        transcript = stream.run()
    assert (transcript.text, transcript.language, transcript.model) == (
        "Hello, there. Good bye.",
        "en",
        "openai:whisper-1",
    )
    assert transcript.fingerprint.device == "remote"
    assert not transcript.fingerprint.repeatable
    assert len(server.asked) == 2, "one for the language, one for all eleven seconds"


def test_only_models_of_the_settings_can_be_named(server: SpeechServerStandIn) -> None:
    store = ModelStore(settings_of(server))
    assert store.get("openai:org/other").path == Path("org/other")
    assert store.is_here("openai:whisper-1")
    assert [one.name for one in store.list() if one.state == "remote"] == ["openai:whisper-1", "openai:org/other"]
    for find in (store.get, store.named, store.is_here):
        with pytest.raises(UnknownModel, match="openai:whisper-1"):
            find("openai:whisper-2")
    with pytest.raises(UnknownModel):
        ModelStore(Settings()).is_here("openai:whisper-1")
    assert ModelStore(Settings()).list()[-1].state != "remote"


def test_an_engine_before_a_name(micro_path: Path) -> None:
    store = ModelStore(Settings.from_environment())
    assert store.get("parrot:micro") == evolve(store.get("micro"), engine="parrot")
    assert store.get(f"parrot:{micro_path}").engine == "parrot"


def test_it_needs_a_server_and_a_network(server: SpeechServerStandIn) -> None:
    with pytest.raises(InvalidOption, match="WHISPERCORE_OPENAI_URL"):
        OpenAI(Path("whisper-1"), sha256="0" * 64, settings=Settings())
    with pytest.raises(InvalidOption, match="offline"):
        OpenAI(Path("whisper-1"), sha256="0" * 64, settings=evolve(settings_of(server), offline=True))


def _openai(_name: str) -> MakeEngine:
    return OpenAI
