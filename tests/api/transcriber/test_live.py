"""Live transcription over the WebSocket of our own, with the real engine."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import numpy as np
import pytest
from attrs import evolve
from sqlalchemy import func, select

from tests.api.conftest import APIS, MakeServer
from tests.both_clients import Both, both
from tests.live import Live
from tests.opus import encoded, packets
from tests.speech import distance, samples, truth, words
from tests.visitor import Visitor, registered
from tests.waiting import until
from whispercore import stream
from whispercore.api.transcriber.live import (
    Clear,
    Final,
    Finish,
    Flush,
    LanguageDetected,
    LiveEnded,
    LiveReady,
    Partial,
    Sound,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnded,
)
from whispercore.contract.transport import AsyncSocket
from whispercore.database.file_tables import files
from whispercore.database.tables import jobs
from whispercore.errors import (
    Conflict,
    DamagedMedia,
    InvalidRequest,
    ModelNotAvailable,
    NotFound,
    NotMedia,
    QuotaExceeded,
    Unreachable,
)
from whispercore.testing import ScriptedEngine
from whispercore_client import AsyncClient
from whispercore_server import live_sessions

RATE = 16_000
SAID = str(truth()["clip01-en.wav"]["text"])


def pcm(*names: str) -> bytes:
    """These recordings, with a second of silence behind each."""
    pause = np.zeros(RATE, np.float32)
    sound = np.concatenate([part for name in names for part in (samples(name), pause)])
    return (sound * 32767).astype("<i2").tobytes()


CLIP = pcm("clip01-en.wav")


def frames(sound: bytes, size: int = 3200) -> list[Sound]:
    return [Sound(data=sound[place : place + size]) for place in range(0, len(sound), size)]


def text(messages: list[Any]) -> str:
    return " ".join(one.segment.text for one in messages if isinstance(one, Final))


def is_said(heard: str, expected: str = SAID) -> bool:
    return distance(words(expected), words(heard)) <= 1


@asynccontextmanager
async def listening(server: Live, *, token: str | None = None, **options: Any) -> AsyncIterator[AsyncSocket[Any, Any]]:
    """A session of its own connection; of the administrator if nobody is named."""
    key = server.admin_key if token is None else None
    async with (
        AsyncClient(server.url, token=token, api_key=key) as client,
        client.live.listen(**{"model": "micro", "language": "en", **options}) as socket,
    ):
        assert isinstance(await socket.receive(), LiveReady)
        yield socket


async def test_both_clients_hear_what_is_said(client: Both) -> None:
    messages = await client.talk(
        lambda c: c.live.listen(model="micro", words=True), *frames(pcm("clip01-en.wav", "clip02-en.wav")), Finish()
    )
    assert isinstance(messages[0], LiveReady)
    assert messages[0].received_bytes == 0
    assert is_said(text(messages), f"{SAID} {truth()['clip02-en.wav']['text']}")
    assert [one.language for one in messages if isinstance(one, LanguageDetected)] == ["en"]
    numbers = [one.seq for one in messages[1:]]
    assert numbers == sorted(set(numbers))
    kinds = [type(one) for one in messages if getattr(one, "utterance", None) == 1 and not isinstance(one, Partial)]
    assert kinds == [SpeechStarted, SpeechEnded, Final, UtteranceEnded]
    assert all(one.segment.words for one in messages if isinstance(one, Final))
    assert all(one.segment.quality is not None for one in messages if isinstance(one, Final))
    ended = messages[-1]
    assert isinstance(ended, LiveEnded)
    assert (ended.reason, ended.job_id, ended.language) == ("finished", None, "en")


async def test_a_session_is_kept_as_a_job_if_asked(client: Both, newcomer: Visitor) -> None:
    messages = await client.talk(lambda c: c.live.listen(model="micro", store=True), *frames(CLIP), Finish())
    job = await client.call(lambda c: c.jobs.get(messages[-1].job_id))
    assert job.status == "completed"
    assert job.transcript.text == text(messages)
    assert job.filename.endswith(".flac")
    assert job.audio_duration_s == pytest.approx(len(CLIP) / 2 / RATE, abs=0.03)
    again = newcomer.server.run(_transcribed_again(newcomer.server, messages[-1].job_id))
    assert is_said(again)
    assert [one.job_id for one in (await client.call(lambda c: c.jobs.list())).jobs] == [job.job_id]


async def _transcribed_again(server: Live, job_id: str) -> str:
    """What a batch makes of the sound that was kept."""
    ports = server.ports
    async with ports.database.read() as tx:
        file_id = (await tx.execute(jobs.select().where(jobs.c.id == job_id))).one().file_id
    async with ports.files.local_copy(file_id) as parts:
        return (await stream(parts, model="micro", pool=ports.engines)).text


async def test_nothing_said_is_nothing(client: Both) -> None:
    messages = await client.talk(lambda c: c.live.listen(model="micro"), *frames(bytes(RATE * 2 * 5)), Finish())
    assert [type(one) for one in messages] == [LiveReady, LiveEnded]


@pytest.mark.parametrize(
    ("asked", "said", "dropped"),
    [
        ({}, "no no no no no no", []),
        ({"cut_loops": True}, "no", []),
        ({"hallucinations": "drop"}, "", ["repetitive"]),
    ],
)
async def test_what_is_made_up(make_server: MakeServer, asked: dict[str, Any], said: str, dropped: list[str]) -> None:
    engines = {**APIS[-1].engines, "loops": ScriptedEngine(lambda _: "no no no no no no")}
    server = make_server(plugins=(*APIS[:-1], evolve(APIS[-1], engines=engines)))
    async with both("async", server.url, api_key=server.admin_key) as client:
        messages = await client.talk(
            lambda c: c.live.listen(model="loops:micro", language="en", partials=False, store=True, **asked),
            *frames(CLIP),
            Finish(),
        )
        job = await client.call(lambda c: c.jobs.get(messages[-1].job_id))
    assert text(messages) == job.transcript.text == said
    ended = [one for one in messages if isinstance(one, UtteranceEnded)]
    assert [one.text for one in ended] == [said]
    assert [one.verdict for one in ended[0].dropped] == dropped
    assert job.transcript.dropped == ended[0].dropped
    assert [one.segment for one in messages if isinstance(one, Final)] == job.transcript.segments


@pytest.mark.parametrize("languages", ["es, french", ["es", "fr"]])
async def test_only_languages_that_are_allowed_are_detected(client: Both, languages: str | list[str]) -> None:
    messages = await client.talk(
        lambda c: c.live.listen(model="micro", languages=languages, partials=False),
        *frames(pcm("clip13-de.wav")),
        Finish(),
    )
    (detected,) = [one for one in messages if isinstance(one, LanguageDetected)]
    assert detected.language == detected.likely[0].code
    assert sorted(one.code for one in detected.likely) == ["es", "fr"]
    assert messages[-1].language == detected.language


@pytest.mark.parametrize("asked", [{"languages": "klingon"}, {"language": "de", "languages": ["es"]}])
async def test_languages_that_cannot_be(client: Both, asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="languages"):
        await client.talk(lambda c: c.live.listen(model="micro", **asked), Finish())


async def test_flush_and_clear(client: Both) -> None:
    speech = frames(CLIP[: RATE * 4])
    messages = await client.talk(
        lambda c: c.live.listen(model="micro", language="en", partials=False),
        *speech,
        Flush(),
        *speech,
        Clear(),
        Finish(),
    )
    ended = {one.utterance: one.text for one in messages if isinstance(one, UtteranceEnded)}
    assert list(ended) == [0, 1] or list(ended) == [1, 0]
    assert ended[0]
    assert ended[1] == ""


async def test_after_a_cut_it_goes_on_where_it_was(newcomer: Visitor) -> None:
    sound = pcm("clip01-en.wav", "clip02-en.wav")
    async with AsyncClient(newcomer.server.url, token=newcomer.token) as client:
        async with client.live.listen(model="micro", language="en") as socket:
            ready = await socket.receive()
            assert isinstance(ready, LiveReady)
            await socket.send(Sound(data=sound[: len(CLIP) + RATE]))
            seen: list[Any] = []
            while not isinstance(seen[-1] if seen else None, Final):
                seen.append(await socket.receive())
        # The connection is gone; what was sent is not, and what happens meanwhile is not missed.
        last = seen[-1]
        assert isinstance(last, Final)
        async with client.live.listen(session_id=ready.session_id, after=last.seq) as socket:
            ready = await socket.receive()
            assert isinstance(ready, LiveReady)
            assert ready.received_bytes <= len(CLIP) + RATE
            await socket.send(Sound(data=sound[ready.received_bytes :]))
            await socket.send(Finish())
            rest: list[Any] = [one async for one in socket]
        assert is_said(text([*seen, *rest]), f"{SAID} {truth()['clip02-en.wav']['text']}")
        assert min(one.seq for one in rest) > last.seq
        assert [one.position for one in [*seen, *rest] if isinstance(one, Final)] == [0, 1]
        # Who missed the end gets it as well.
        async with client.live.listen(session_id=ready.session_id, after=last.seq) as socket:
            again = [one async for one in socket]
        assert again[1:] == [one for one in rest if not isinstance(one, Partial)]


async def test_a_session_is_its_users_alone(newcomer: Visitor, bob: Visitor) -> None:
    async with AsyncClient(newcomer.server.url, token=newcomer.token) as client, AsyncExitStack() as stack:
        socket = await stack.enter_async_context(client.live.listen(model="micro"))
        ready = await socket.receive()
        assert isinstance(ready, LiveReady)
        async with AsyncClient(bob.server.url, token=bob.token) as his:
            async with his.live.listen(session_id=ready.session_id) as other:
                with pytest.raises(NotFound):
                    await other.receive()
            async with his.live.listen(session_id="none") as other:
                with pytest.raises(NotFound):
                    await other.receive()
        # The second connection of its user takes it over.
        async with client.live.listen(session_id=ready.session_id) as second:
            assert isinstance(await second.receive(), LiveReady)
            with pytest.raises(Conflict, match="another connection"):
                await socket.receive()
            await second.send(Finish())
            assert [type(one) async for one in second] == [LiveEnded]


async def test_two_users_at_once_hear_their_own(newcomer: Visitor, bob: Visitor) -> None:
    async def listen(visitor: Visitor, name: str) -> str:
        async with both("async", visitor.server.url, token=visitor.token) as client:
            return text(
                await client.talk(lambda c: c.live.listen(model="micro", language="en"), *frames(pcm(name)), Finish())
            )

    one, two = await asyncio.gather(listen(newcomer, "clip01-en.wav"), listen(bob, "clip02-en.wav"))
    assert is_said(one)
    assert is_said(two, str(truth()["clip02-en.wav"]["text"]))


async def test_who_reads_nothing_for_a_while_misses_nothing_final(newcomer: Visitor) -> None:
    async with listening(newcomer.server, token=newcomer.token) as socket:
        for frame in frames(CLIP * 3, 32_000):
            await socket.send(frame)
        await socket.send(Finish())
        await until(lambda: _finished(newcomer.server, newcomer.user_id))
        messages = [one async for one in socket]
    assert [one.position for one in messages if isinstance(one, Final)] == [0, 1, 2]
    assert isinstance(messages[-1], LiveEnded)


def _finished(server: Live, user_id: str) -> bool:
    return any(one.over.is_set() for one in server.ports.live if one.caller.user_id == user_id)


@pytest.mark.parametrize(
    "frame",
    ["no JSON", "{}", '{"type": "sound", "data": "AAAA"}', '{"type": "nonsense"}'],
)
async def test_what_is_no_message_is_told(newcomer: Visitor, frame: str) -> None:
    address = f"{newcomer.server.url}/api/v1/live?model=micro"
    async with aiohttp.ClientSession() as http, http.ws_connect(address, headers=newcomer.headers) as socket:
        assert (await socket.receive_json())["type"] == "ready"
        await socket.send_str(frame)
        error = await socket.receive_json()
        assert (error["type"], error["error_code"]) == ("error", "VALIDATION_ERROR")
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION


async def test_noise_of_any_bytes_does_no_harm(client: Both) -> None:
    noise = np.random.default_rng(7).bytes(RATE * 2 * 3 + 1)
    messages = await client.talk(
        lambda c: c.live.listen(model="micro", language="en", partials=False),
        Sound(data=b""),
        Sound(data=b"\0"),
        *frames(noise, 12_345),
        Finish(),
    )
    assert isinstance(messages[-1], LiveEnded)


async def test_a_frame_that_is_too_large_ends_the_connection(newcomer: Visitor) -> None:
    async with listening(newcomer.server, token=newcomer.token) as socket:
        await socket.send(Sound(data=bytes((1 << 20) + 1)))
        with pytest.raises(Unreachable):
            await socket.receive()


def _listen(options: dict[str, str], client: Any) -> Any:
    return client.live.listen(**options)


@pytest.mark.parametrize("container", ["webm", "ogg"])
async def test_opus_says_the_same_as_its_samples(newcomer: Visitor, container: str) -> None:
    sound = np.frombuffer(pcm("clip01-en.wav", "clip02-en.wav"), "<i2").astype(np.float32) / np.float32(32768)
    data = encoded(sound, container)
    async with listening(newcomer.server, token=newcomer.token, encoding="opus") as socket:
        for frame in frames(data, 500):
            await socket.send(frame)
        await socket.send(Finish())
        messages = [one async for one in socket]
    assert is_said(text(messages), f"{SAID} {truth()['clip02-en.wav']['text']}")
    assert isinstance(messages[-1], LiveEnded)
    assert messages[-1].duration_s == pytest.approx(sound.size / RATE, abs=0.2)


async def test_packets_of_opus_say_the_same_as_their_samples_also_after_a_cut(newcomer: Visitor) -> None:
    sent = packets(np.frombuffer(CLIP, "<i2").astype(np.float32) / np.float32(32768))
    half = len(sent) // 2
    async with AsyncClient(newcomer.server.url, token=newcomer.token) as client:
        async with client.live.listen(model="micro", language="en", encoding="opus_packets") as socket:
            ready = await socket.receive()
            assert isinstance(ready, LiveReady)
            for packet in sent[:half]:
                await socket.send(Sound(data=packet))
        async with client.live.listen(session_id=ready.session_id) as socket:
            again = await socket.receive()
            assert isinstance(again, LiveReady)
            ends = [0, *itertools.accumulate(len(packet) for packet in sent)]
            for packet in sent[ends.index(again.received_bytes) :]:
                await socket.send(Sound(data=packet))
            await socket.send(Finish())
            messages = [one async for one in socket]
    assert is_said(text(messages))


async def test_what_is_no_packet_of_opus_ends_the_connection(newcomer: Visitor) -> None:
    async with listening(newcomer.server, token=newcomer.token, encoding="opus_packets") as socket:
        await socket.send(Sound(data=CLIP[:40_000]))
        with pytest.raises(DamagedMedia, match="no packet of Opus"):
            [one async for one in socket]


@pytest.mark.parametrize("hostile", [CLIP, bytes(4000)], ids=["samples", "zeros"])
async def test_what_is_no_opus_ends_the_connection(newcomer: Visitor, hostile: bytes) -> None:
    async with listening(newcomer.server, token=newcomer.token, encoding="opus") as socket:
        await socket.send(Sound(data=hostile))
        await socket.send(Sound(data=hostile))
        await socket.send(Finish())
        with pytest.raises((NotMedia, Unreachable)) as refused:
            [one async for one in socket]
    assert isinstance(refused.value, NotMedia)
    async with listening(newcomer.server, token=newcomer.token) as socket:  # and nothing else
        await socket.send(Finish())
        assert [type(one) async for one in socket] == [LiveEnded]


async def test_options_that_make_no_sense(client: Both) -> None:
    for options, kind in (
        ({"model": "tiny"}, ModelNotAvailable),
        ({"model": "micro", "language": "klingon"}, InvalidRequest),
    ):
        with pytest.raises(kind):
            await client.talk(partial(_listen, options))


async def test_limits(make_server: MakeServer) -> None:
    server = make_server(live_sessions=1, live_minutes=1, live_kb_per_s=1 << 20)
    async with AsyncClient(server.url, api_key=server.admin_key) as client:
        async with client.live.listen(model="micro", language="en") as socket:
            await socket.receive()
            async with client.live.listen(model="micro") as second:
                with pytest.raises(Conflict, match="no more than 1"):
                    await second.receive()
            for _ in range(70):
                await socket.send(Sound(data=bytes(2 * RATE)))
            messages = [one async for one in socket]
        assert [type(one) for one in messages] == [LiveEnded]
        ended = messages[0]
        assert isinstance(ended, LiveEnded)
        assert (ended.reason, ended.duration_s) == ("limit", 60.0)
        async with client.live.listen(model="micro") as socket:
            assert isinstance(await socket.receive(), LiveReady)


async def test_a_session_that_nobody_comes_back_for_ends_and_is_kept(make_server: MakeServer) -> None:
    server = make_server(live_grace_s=0)
    async with AsyncClient(server.url, api_key=server.admin_key) as client:
        async with client.live.listen(model="micro", language="en", store=True) as socket:
            await socket.receive()
            await socket.send(Sound(data=CLIP))
            while not isinstance(await socket.receive(), Final):
                pass
        await until(lambda: not list(server.ports.live))
        (job,) = (await client.jobs.list()).jobs
        assert is_said((await client.jobs.get(job.job_id)).transcript.text)  # type: ignore[union-attr]


async def test_what_is_more_than_may_be_kept_is_not(make_server: MakeServer) -> None:
    server = make_server(user_quota_mb=1, live_kb_per_s=1 << 20)
    noise = np.random.default_rng(5).bytes(RATE * 2 * 40)  # it cannot be packed
    user = registered(server)
    async with AsyncClient(server.url, token=user.token) as client:
        async with client.live.listen(model="micro", store=True) as socket:
            for frame in frames(noise, 1 << 19):
                await socket.send(frame)
            await socket.send(Finish())
            with pytest.raises(QuotaExceeded):
                [one async for one in socket]
        assert (await client.jobs.list()).jobs == []
    async with server.ports.database.read() as tx:
        assert (await tx.execute(select(func.count()).select_from(files))).scalar_one() == 0


async def test_at_shutdown_what_was_said_is_told(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_sessions, "_LAST_S", 60.0)  # a busy machine is no reason to have said nothing
    server = make_server()
    async with listening(server, store=True) as socket:
        await socket.send(Sound(data=CLIP[: -RATE * 2]))  # no pause ends it
        while not isinstance(await socket.receive(), SpeechStarted):
            pass
        await until(lambda: next(iter(server.ports.live)).session.received_bytes >= len(CLIP) - RATE * 2)
        closing = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(server.ports.live.close(), server.loop))
        messages = [one async for one in socket]
        await closing
    assert is_said(text(messages))
    ended = messages[-1]
    assert isinstance(ended, LiveEnded)
    assert ended.reason == "shutdown"
    assert ended.job_id is not None
