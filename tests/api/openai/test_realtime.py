"""Speech to text while it is spoken, through OpenAI's own client, with the real engine."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import openai
import pytest
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from tests.api.conftest import MakeServer
from tests.api.openai.conftest import of_engine
from tests.gates import gate_before
from tests.live import Live, live, settings_for
from tests.speech import distance, samples, truth, words
from tests.visitor import Visitor, registered
from tests.waiting import until
from whispercore.api.openai.realtime import AppendSound, CommitSound, SessionCreated, TextCompleted, UpdateSession
from whispercore.api.openai.realtime_session import AudioChange, InputChange, SessionChange, SoundFormat
from whispercore.engines.engine import Window
from whispercore.errors import EngineFailed, NotFound
from whispercore.testing import FakeClock, ScriptedEngine
from whispercore_client import AsyncClient
from whispercore_server import admission
from whispercore_server.live_sessions import LiveSessions

CLIP = "clip01-en.wav"
OTHER = "clip02-en.wav"
COMPLETED = "conversation.item.input_audio_transcription.completed"
DELTA = "conversation.item.input_audio_transcription.delta"
COMMITTED = "input_audio_buffer.committed"
EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
BROKEN = threading.Event()
"""Whether the engine without a model is."""


def heard(window: Window) -> str | BaseException:
    return EngineFailed("it is broken") if BROKEN.is_set() else f"window {window.index}"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server without a model, whose users may have one session of a minute."""
    settings = settings_for(
        tmp_path_factory.mktemp("small"), live_sessions=1, live_minutes=1, live_kb_per_s=1 << 20, live_grace_s=0
    )
    with live(settings, plugins=of_engine(ScriptedEngine(heard)), worker=False) as server:
        yield server


def sound(*names: str, rate: int = 24_000, pause_s: float = 1.0) -> bytes:
    """These recordings as 16-bit samples, with silence behind each."""
    pause = np.zeros(round(pause_s * 16_000), np.float32)
    whole = np.concatenate([part for name in names for part in (samples(name), pause)])
    frame = AudioFrame.from_ndarray((whole * 32767).astype(np.int16).reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = 16_000
    resampler = AudioResampler(format="s16", layout="mono", rate=rate)
    return b"".join(one.to_ndarray().tobytes() for one in (*resampler.resample(frame), *resampler.resample(None)))


def pieces(data: bytes, size: int = 48_000) -> list[str]:
    return [base64.b64encode(data[place : place + size]).decode() for place in range(0, len(data), size)]


def is_said(heard: str, name: str = CLIP) -> bool:
    return distance(words(str(truth()[name]["text"])), words(heard)) <= 1


def said(changes: dict[str, Any] | None = None, **transcription: Any) -> dict[str, Any]:
    """The session of an update."""
    asked = {"model": "micro", "language": "en", **transcription}
    return {"type": "transcription", "audio": {"input": {"transcription": asked, **(changes or {})}}}


@asynccontextmanager
async def connected(server: Live, key: str | None = None, **query: str) -> AsyncIterator[Any]:
    """A connection of OpenAI's client whose session has been created."""
    options: dict[str, Any] = {"base_url": f"{server.url}/v1", "api_key": key or server.admin_key}
    async with (
        openai.AsyncOpenAI(**options) as client,
        client.realtime.connect(extra_query={"intent": "transcription", **query}) as connection,
    ):
        created = await connection.recv()
        assert created.type == "session.created", created
        yield connection


async def received(connection: Any, last: str) -> list[Any]:
    """All events up to one of a type. Each is one that OpenAI's package knows, with all that it has to have."""
    found: list[Any] = []
    while not found or found[-1].type != last:
        data = await connection.recv_bytes()
        EVENT.validate_json(data)
        found.append(connection.parse_event(data))
        assert found[-1].type == last or found[-1].type != "error", found[-1]
    return found


async def told(connection: Any, data: bytes) -> None:
    for piece in pieces(data):
        await connection.input_audio_buffer.append(audio=piece)


async def test_pauses_end_utterances(newcomer: Visitor) -> None:
    async with connected(newcomer.server, newcomer.token) as connection:
        await connection.session.update(session=said({"turn_detection": {"type": "server_vad"}}))
        updated = (await received(connection, "session.updated"))[-1]
        assert updated.session.audio.input.transcription.model == "micro"
        assert updated.session.audio.input.format.rate == 24_000
        await told(connection, sound(CLIP, OTHER))
        first, second = await received(connection, COMPLETED), await received(connection, COMPLETED)
    events = [*first, *second]
    items = [one.item.id for one in events if one.type == "conversation.item.added"]
    assert len(items) == 2
    for item, name, previous in zip(items, (CLIP, OTHER), (None, items[0]), strict=True):
        its = [one for one in events if getattr(one, "item_id", None) == item or _item(one) == item]
        kinds = [one.type for one in its if one.type != DELTA]
        assert kinds == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            COMMITTED,
            "conversation.item.added",
            "conversation.item.done",
            COMPLETED,
        ]
        assert next(one for one in its if one.type == COMMITTED).previous_item_id == previous
        assert is_said(its[-1].transcript, name)
        assert "".join(one.delta for one in its if one.type == DELTA) == its[-1].transcript
        assert its[-1].usage.seconds > 2
    started = [one.audio_start_ms for one in events if one.type == "input_audio_buffer.speech_started"]
    stopped = [one.audio_end_ms for one in events if one.type == "input_audio_buffer.speech_stopped"]
    assert 0 <= started[0] < stopped[0] < started[1] < stopped[1]
    assert len({one.event_id for one in events}) == len(events)


def _item(event: Any) -> str | None:
    return event.item.id if hasattr(event, "item") else None


def test_the_sync_client_works_as_well(newcomer: Visitor) -> None:
    server = newcomer.server
    with (
        openai.OpenAI(base_url=f"{server.url}/v1", api_key=newcomer.token) as client,
        client.realtime.connect(model="micro", extra_query={"intent": "transcription"}) as connection,
    ):
        for piece in pieces(sound(CLIP)):
            connection.input_audio_buffer.append(audio=piece)
        for event in connection:
            if event.type == "conversation.item.input_audio_transcription.completed":
                assert is_said(event.transcript)
                break


async def test_only_what_may_be_spoken_is_heard(newcomer: Visitor) -> None:
    async with connected(newcomer.server, newcomer.token) as connection:
        asked = {"language": None, "languages": ["de", "fr"]}
        await connection.session.update(session=said({"turn_detection": None}, **asked))
        await told(connection, sound(CLIP))
        await connection.input_audio_buffer.commit()
        await received(connection, COMPLETED)
        (held,) = (one for one in newcomer.server.ports.live if one.caller.user_id == newcomer.user_id)
        assert held.session.language_code in ("de", "fr")
        assert held.session.language is not None, "it was detected"


async def test_without_turn_detection_only_a_commit_ends_one(newcomer: Visitor) -> None:
    async with connected(newcomer.server, newcomer.token) as connection:
        session = said({"turn_detection": None})
        session["include"] = ["item.input_audio_transcription.logprobs"]
        await connection.session.update(session=session)
        await told(connection, sound(CLIP))
        await connection.input_audio_buffer.commit()
        events = await received(connection, COMPLETED)
        kinds = [one.type for one in events if one.type != DELTA]
        assert kinds == [
            "session.updated",
            COMMITTED,
            "conversation.item.added",
            "conversation.item.done",
            COMPLETED,
        ]
        assert is_said(events[-1].transcript)
        assert "".join(one.token for one in events[-1].logprobs) == events[-1].transcript
        # What is cleared is forgotten, and nothing is there to be committed.
        await told(connection, sound(OTHER))
        await connection.input_audio_buffer.clear()
        assert {one.type for one in await received(connection, "input_audio_buffer.cleared")} <= {
            DELTA,
            "input_audio_buffer.cleared",
        }
        await connection.input_audio_buffer.commit(event_id="mine")
        error = (await received(connection, "error"))[-1].error
        assert (error.code, error.event_id) == ("input_audio_buffer_commit_empty", "mine")
        assert error.type == "invalid_request_error"


async def test_eagerness_is_the_length_of_a_pause(small: Live) -> None:
    spoken = sound(CLIP, OTHER, pause_s=0.2)  # with their own quiet ends it is one second
    async with connected(small, registered(small).token) as connection:
        for eagerness, count in (("low", 1), ("high", 2)):
            turns = {"type": "semantic_vad", "eagerness": eagerness}
            await connection.session.update(session=said({"turn_detection": turns}))
            updated = (await received(connection, "session.updated"))[-1].session.audio.input.turn_detection
            assert (updated.type, updated.eagerness) == ("semantic_vad", eagerness)
            await told(connection, spoken)
            await connection.session.update(session=said(prompt=eagerness))  # which ends what is spoken
            events = await received(connection, "session.updated")
            while [one.type for one in events].count(COMPLETED) < [one.type for one in events].count(COMMITTED):
                events += await received(connection, COMPLETED)
            assert len({one.item_id for one in events if one.type == COMPLETED}) == count


async def test_nobody_is_heard_by_who_wants_to_be_quite_sure(small: Live) -> None:
    async with connected(small, registered(small).token) as connection:
        turns = {"type": "server_vad", "threshold": 1.0}
        await connection.session.update(session=said({"turn_detection": turns}))
        await told(connection, sound(CLIP))
        await connection.input_audio_buffer.commit()
        assert (await received(connection, "error"))[-1].error.code == "input_audio_buffer_commit_empty"


async def test_a_long_utterance_is_one_item(small: Live) -> None:
    """An engine hears 30 s at most; whoever commits knows nothing of it."""
    async with connected(small, registered(small).token) as connection:
        await connection.session.update(session=said({"turn_detection": None}))
        for _ in range(8):
            await told(connection, sound("clip06-en.wav"))
        await connection.input_audio_buffer.commit()
        events = await received(connection, COMPLETED)
    assert [one.type for one in events].count(COMMITTED) == 1
    assert len({one.item_id for one in events if one.type in (DELTA, COMPLETED)}) == 1
    assert events[-1].usage.seconds > 30


@pytest.mark.parametrize("law", ["audio/pcmu", "audio/pcma"])
async def test_sound_of_a_telephone(small: Live, law: str) -> None:
    async with connected(small, registered(small).token) as connection:
        await connection.session.update(session=said({"format": {"type": law}, "turn_detection": None}))
        await told(connection, bytes(range(256)) * 32)
        await connection.input_audio_buffer.commit()
        assert (await received(connection, COMPLETED))[-1].usage.seconds == pytest.approx(256 * 32 / 8_000, abs=0.03)


async def test_what_is_changed_counts_from_there_on(newcomer: Visitor) -> None:
    async with connected(newcomer.server, newcomer.token) as connection:
        await connection.session.update(session=said({"turn_detection": None}))
        await told(connection, sound(CLIP))
        session = {"type": "transcription", "include": ["item.input_audio_transcription.logprobs"]}
        await connection.session.update(session=session)
        first = await received(connection, COMPLETED)
        assert is_said(first[-1].transcript)
        assert first[-1].logprobs is None
        await told(connection, sound(OTHER))
        await connection.input_audio_buffer.commit()
        second = await received(connection, COMPLETED)
        assert is_said(second[-1].transcript, OTHER)
        assert second[-1].logprobs
    committed = [one for one in [*first, *second] if one.type == COMMITTED]
    assert committed[1].previous_item_id == committed[0].item_id


async def test_our_own_client_has_the_same(newcomer: Visitor) -> None:
    async with (
        AsyncClient(newcomer.server.url, token=newcomer.token) as client,
        client.openai.realtime.connect(model="micro") as socket,
    ):
        assert isinstance(await socket.receive(), SessionCreated)
        change = InputChange(turn_detection=None, format=SoundFormat(rate=16_000))
        await socket.send(UpdateSession(session=SessionChange(audio=AudioChange(input=change))))
        for piece in pieces(sound(CLIP, rate=16_000)):
            await socket.send(AppendSound(audio=piece))
        await socket.send(CommitSound())
        async for message in socket:
            if isinstance(message, TextCompleted):
                assert is_said(message.transcript)
                break
    async with (
        AsyncClient(newcomer.server.url, token=newcomer.token) as client,
        client.openai.realtime.connect(model="nobody-knows-it") as socket,
    ):
        with pytest.raises(NotFound):
            await socket.receive()


# ------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("text", "param"),
    [
        ("no JSON", None),
        ("[]", "type"),
        ('{"type": "response.create"}', "type"),
        ('{"type": "input_audio_buffer.append"}', "input_audio_buffer.append"),
        ('{"type": "input_audio_buffer.append", "audio": "====", "event_id": "mine"}', "audio"),
        ('{"type": "input_audio_buffer.append", "audio": "ä", "event_id": "mine"}', "audio"),
        ('{"type": "session.update", "session": {"type": "realtime"}}', "session.update"),
    ],
)
async def test_a_wrong_event_is_told_and_the_session_goes_on(newcomer: Visitor, text: str, param: str | None) -> None:
    async with connected(newcomer.server, newcomer.token) as connection:
        await connection.send_raw(text)
        error = (await received(connection, "error"))[-1].error
        assert (error.type, error.param) == ("invalid_request_error", param)
        assert error.event_id == ("mine" if "mine" in text else None)
        await connection.input_audio_buffer.clear()
        await received(connection, "input_audio_buffer.cleared")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"transcription": {"model": "nobody-knows-it"}}, "model_not_found"),
        ({"transcription": {"language": "klingon"}}, "validation_error"),
        ({"transcription": {"language": "en", "languages": ["de"]}}, "validation_error"),
        ({"transcription": {"languages": ["klingon"]}}, "validation_error"),
        ({"format": {"type": "audio/pcm", "rate": 7}}, "validation_error"),
        ({"format": {"type": "audio/pcma", "rate": 16_000}}, "validation_error"),
        ({"turn_detection": {"type": "semantic_vad", "eagerness": "very"}}, "validation_error"),
        ({"turn_detection": {"type": "telepathy"}}, "validation_error"),
        ({"turn_detection": {"type": "server_vad", "threshold": 1.5}}, "validation_error"),
        ({"turn_detection": {"type": "server_vad", "silence_duration_ms": -1}}, "validation_error"),
    ],
)
async def test_what_cannot_be_done_changes_nothing(newcomer: Visitor, change: dict[str, Any], code: str) -> None:
    async with connected(newcomer.server, newcomer.token, model="micro") as connection:
        session = {"type": "transcription", "audio": {"input": change}}
        await connection.send_raw(json.dumps({"type": "session.update", "session": session, "event_id": "mine"}))
        error = (await received(connection, "error"))[-1].error
        assert error.code == code
        await connection.session.update(session={"type": "transcription"})
        session = (await received(connection, "session.updated"))[-1].session.audio.input
        assert session.transcription.model == "micro"
        assert (session.format.type, session.format.rate) == ("audio/pcm", 24_000)
        assert session.turn_detection.silence_duration_ms == 500


@pytest.mark.parametrize("name", ["nobody-knows-it", ""])
async def test_a_wrong_model_ends_the_connection(newcomer: Visitor, name: str) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{newcomer.server.url}/v1/realtime?model={name}", headers=newcomer.headers) as socket,
    ):
        assert (await socket.receive_json())["error"]["code"] == "model_not_found"
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE


async def test_conversations_are_refused(newcomer: Visitor) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{newcomer.server.url}/v1/realtime?intent=conversation", headers=newcomer.headers) as answer,
    ):
        assert answer.status == 400
        assert (await answer.json())["error"]["param"] == "intent"


@pytest.mark.parametrize("key", ["", "nobody-has-this-key-of-more-than-32-letters"])
async def test_without_a_key_nobody_comes_in(newcomer: Visitor, key: str) -> None:
    async with aiohttp.ClientSession() as http:
        headers = {"Authorization": f"Bearer {key}"}
        async with http.get(f"{newcomer.server.url}/v1/realtime", headers=headers) as answer:
            assert answer.status == 401
            assert (await answer.json())["error"]["code"] == "invalid_api_key"


async def test_who_loses_his_key_is_told_by_an_event(small: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "RECHECK_S", 0.02)
    user = registered(small)
    made = user.post("/api/api-keys/", json={"name": "live", "permissions": ["write"]}).json()
    async with connected(small, made["api_key"]) as connection:
        assert (await asyncio.to_thread(user.send, "DELETE", f"/api/api-keys/{made['key_id']}")).status_code == 200
        event = (await received(connection, "error"))[-1]
        assert event.event_id.startswith("event_")
        assert (event.error.code, event.error.type) == ("invalid_api_key", "invalid_request_error")


async def test_browsers_bring_their_key_as_a_subprotocol(newcomer: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    address = f"{newcomer.server.url}/v1/realtime"
    key = f"openai-insecure-api-key.{newcomer.token}"
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(address, protocols=("realtime", key)) as socket:
            assert socket.protocol == "realtime"
            assert (await socket.receive_json())["type"] == "session.created"
        for protocols, status in (((key,), 400), (("realtime", "openai-insecure-api-key.wrong"), 401)):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(address, protocols=protocols)
            assert refused.value.status == status
        # A key in a subprotocol is one for this endpoint only.
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(f"{newcomer.server.url}/api/v1/live", protocols=("realtime", key))
        assert refused.value.status == 401
    assert newcomer.token not in caplog.text


async def test_an_event_that_is_too_large_ends_the_connection(newcomer: Visitor) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{newcomer.server.url}/v1/realtime", headers=newcomer.headers) as socket,
    ):
        assert (await socket.receive_json())["type"] == "session.created"
        await socket.send_json({"type": "input_audio_buffer.append", "audio": "A" * (1 << 20)})
        await socket.receive()
        assert socket.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


# ------------------------------------------------------------ limits, and ends


async def test_limits_are_those_of_live_sessions(small: Live) -> None:
    key = registered(small).token
    async with connected(small, key) as connection, connected(small, key) as other:
        await told(connection, sound(CLIP))
        await received(connection, COMPLETED)
        await told(other, sound(CLIP))
        assert (await received(other, "error"))[-1].error.code == "conflict"
        await told(connection, bytes(48_000 * 61))
        assert (await received(connection, "error"))[-1].error.code == "session_expired"


async def test_no_connection_lasts_longer_than_a_session(tmp_path: Path) -> None:
    """Whether it sends nothing, or has its session changed again and again."""
    clock, settings = FakeClock(), settings_for(tmp_path, live_minutes=1, live_kb_per_s=1 << 20)
    plugins = of_engine(ScriptedEngine(heard))
    with live(settings, plugins=plugins, worker=False, clock=clock) as server:
        async with connected(server) as silent, connected(server) as changed:
            await silent.input_audio_buffer.clear()
            await received(silent, "input_audio_buffer.cleared")
            for name in (CLIP, OTHER):
                await told(changed, sound(name))
                await received(changed, COMPLETED)
                await changed.session.update(session=said(prompt=name))
                await received(changed, "session.updated")
            await told(changed, sound(CLIP))
            await until(lambda: any(one.session.heard_s > 1 and one.reason is None for one in server.ports.live))
            server.loop.call_soon_threadsafe(clock.advance, 60.0)
            events = await received(changed, "error")
            assert COMPLETED in [one.type for one in events], "what was said until then is told"
            assert events[-1].error.code == "session_expired"
            assert (await received(silent, "error"))[-1].error.code == "session_expired"


@pytest.mark.parametrize("reason", ["limit", "finished"], ids=["its-length", "a-change"])
async def test_a_session_that_was_ended_is_told_to_its_end(tmp_path: Path, reason: str) -> None:
    """Also when the connection's time is over while the engine has not said everything yet."""
    may_answer, clock = threading.Event(), FakeClock()

    def slow(window: Window) -> str | BaseException:
        may_answer.wait(600)
        return heard(window)

    settings = settings_for(tmp_path, live_minutes=1, live_kb_per_s=1 << 20)
    with live(settings, plugins=of_engine(ScriptedEngine(slow)), worker=False, clock=clock) as server:
        try:
            async with connected(server) as connection:
                if reason == "limit":
                    await told(connection, sound(CLIP) + bytes(48_000 * 61))
                else:
                    await told(connection, sound(CLIP))
                    await connection.session.update(session=said(prompt="another"))
                await until(lambda: [one.reason for one in server.ports.live] == [reason])
                server.loop.call_soon_threadsafe(clock.advance, 60.0)
                for _ in range(10):  # whatever that brings about has begun
                    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asyncio.sleep(0), server.loop))
                may_answer.set()
                events = await received(connection, "error")
                assert COMPLETED in [one.type for one in events]
                assert events[-1].error.code == "session_expired"
        finally:
            may_answer.set()


async def test_whoever_goes_away_leaves_nothing_behind(small: Live) -> None:
    user = registered(small)
    for _ in range(2):  # of one session that he may have
        async with connected(small, user.token) as connection:
            await told(connection, sound(CLIP))
            await received(connection, "input_audio_buffer.speech_started")
        await until(lambda: all(one.over.is_set() for one in small.ports.live if one.caller.user_id == user.user_id))


async def test_who_goes_away_while_the_server_ends_leaves_nothing_behind(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(plugins=of_engine(ScriptedEngine()))
    gate = gate_before(monkeypatch, LiveSessions, "leave")
    async with connected(server) as connection:
        await told(connection, sound(CLIP))
        await received(connection, COMPLETED)
        (held,) = server.ports.live
    await asyncio.to_thread(server.run, gate.handlers_cancelled_here())
    assert held.over.is_set()


async def test_a_broken_engine_is_told(small: Live) -> None:
    BROKEN.set()
    try:
        async with connected(small, registered(small).token) as connection:
            await told(connection, sound(CLIP))
            events = await received(connection, "conversation.item.input_audio_transcription.failed")
            assert events[-1].item_id == events[0].item_id
            assert events[-1].error.message
            assert (await received(connection, "error"))[-1].error.type == "server_error"
    finally:
        BROKEN.clear()


async def test_the_end_of_the_server_is_told(make_server: MakeServer) -> None:
    server = make_server(plugins=of_engine(ScriptedEngine()))
    async with connected(server) as connection:
        await told(connection, sound(CLIP))
        await received(connection, COMPLETED)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(server.ports.live.close(), server.loop))
        assert (await received(connection, "error"))[-1].error.type == "server_error"
