"""Client secrets through OpenAI's own client: what pages come with to live transcription, and to nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import openai
import pytest
from openai.types.realtime import ClientSecretCreateResponse

from tests.api.openai.conftest import OpenAi, of_engine, openai_client
from tests.api.openai.test_realtime import CLIP, COMPLETED, connected, is_said, received, said, sound, told
from tests.both_clients import Both
from tests.live import Live, live, settings_for
from tests.visitor import Visitor, administrator, registered
from whispercore.errors import InvalidRequest
from whispercore.people.caller import RequestInfo
from whispercore.testing import FakeClock, ScriptedEngine
from whispercore_server import admission

CREATE = "/v1/realtime/client_secrets"
End = Callable[[Visitor, str], None]
"""Ends what a secret was made with: its maker, and the id of his key."""


@pytest.fixture(scope="module")
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, clock: FakeClock) -> Iterator[Live]:
    """A server without a model, by a clock of ours, that looks often whether who is there may be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(admission, "RECHECK_S", 0.02)
        settings = settings_for(tmp_path_factory.mktemp("strict"))
        with live(settings, plugins=of_engine(ScriptedEngine()), worker=False, clock=clock) as server:
            yield server


def made(visitor: Visitor, **body: Any) -> str:
    answer = visitor.post(CREATE, json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["value"])


def with_key(owner: Visitor, **limits: Any) -> tuple[Visitor, str]:
    """The same with an API key, and its id."""
    key = owner.post("/api/api-keys/", json={"name": "k", "permissions": ["read", "write"], **limits}).json()
    return Visitor(server=owner.server, headers={"X-API-Key": key["api_key"]}), key["key_id"]


def status(server: Live, secret: str) -> int:
    """Of a request that would open a WebSocket, if it were one: 400 for who is let in."""
    return Visitor(server=server, headers={"Authorization": f"Bearer {secret}"}).get("/v1/realtime").status_code


# ------------------------------------------------------------ what they are good for


async def test_who_has_one_transcribes_as_its_maker_laid_down(speech: OpenAi, newcomer: Visitor) -> None:
    session = {**said({"turn_detection": None}), "include": ["item.input_audio_transcription.logprobs"]}
    secret = await speech.call(
        lambda c: c.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60}, session=session
        )
    )
    ClientSecretCreateResponse.model_validate(secret.to_dict())
    assert secret.value.startswith("ek_")
    assert secret.session.type == "transcription"
    assert secret.session.audio.input.transcription.language == "en"
    async with connected(newcomer.server, secret.value) as connection:
        await told(connection, sound(CLIP))
        await connection.input_audio_buffer.commit()
        completed = (await received(connection, COMPLETED))[-1]
        assert is_said(completed.transcript)
        assert completed.logprobs, "they were laid down too"
    async with openai_client("async", newcomer.server.url, secret.value) as other:
        with pytest.raises(openai.AuthenticationError, match="live transcription only"):
            await other.call(lambda c: c.models.list())
        with pytest.raises(openai.AuthenticationError, match="live transcription only"):
            await other.call(lambda c: c.realtime.client_secrets.create())
    assert newcomer.get("/api/api-keys/").json()["total"] == 0


async def test_a_connection_may_want_another_model(strict: Live) -> None:
    secret = made(registered(strict), session=said(prompt="names"))
    async with connected(strict, secret, model="whisper-1") as connection:
        await connection.session.update(session={"type": "transcription"})
        asked = (await received(connection, "session.updated"))[-1].session.audio.input.transcription
    assert (asked.model, asked.language, asked.prompt) == ("whisper-1", "en", "names")


async def test_a_page_brings_it_as_a_subprotocol(strict: Live) -> None:
    protocols = ("realtime", f"openai-insecure-api-key.{made(registered(strict))}")
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{strict.url}/v1/realtime", protocols=protocols) as socket,
    ):
        assert (await socket.receive_json())["type"] == "session.created"


async def test_our_own_clients_have_it_too(client: Both) -> None:
    made = await client.call(lambda c: c.openai.client_secrets.create())
    assert made.session.audio.input.turn_detection is not None
    assert made.value not in repr(made)
    with pytest.raises(InvalidRequest):
        await client.call(lambda c: c.openai.client_secrets.create(expires_after={"seconds": 9}))


# ------------------------------------------------------------ until when


async def test_none_begins_a_session_when_it_has_expired_but_one_that_has_begun_goes_on(
    strict: Live, clock: FakeClock
) -> None:
    secret = await asyncio.to_thread(made, await asyncio.to_thread(registered, strict))
    async with connected(strict, secret) as connection:
        strict.loop.call_soon_threadsafe(clock.advance, 599)
        assert await asyncio.to_thread(status, strict, secret) == 400
        strict.loop.call_soon_threadsafe(clock.advance, 2)
        assert await asyncio.to_thread(status, strict, secret) == 401
        looks = 0
        usual = strict.ports.people.client_secrets.authenticate

        async def authenticate(secret: str, request: RequestInfo, *, again: bool = False) -> Any:
            nonlocal looks
            looks += again
            return await usual(secret, request, again=again)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(strict.ports.people.client_secrets, "authenticate", authenticate)
            while looks < 2:
                await connection.input_audio_buffer.clear()
                await received(connection, "input_audio_buffer.cleared")


def logs_out(visitor: Visitor, _: str) -> None:
    assert visitor.post("/auth/logout").status_code == 200


def loses_his_account(visitor: Visitor, _: str) -> None:
    assert administrator(visitor.server).post(f"/admin/users/{visitor.user_id}/deactivate").status_code == 200


def revokes_the_key(visitor: Visitor, key_id: str) -> None:
    assert visitor.send("DELETE", f"/api/api-keys/{key_id}").status_code == 200


def regenerates_the_key(visitor: Visitor, key_id: str) -> None:
    assert visitor.post(f"/api/api-keys/{key_id}/regenerate").status_code in (200, 201)


@pytest.mark.parametrize(
    ("end", "by_key"),
    [
        (logs_out, False),
        (loses_his_account, False),
        (loses_his_account, True),
        (revokes_the_key, True),
        (regenerates_the_key, True),
    ],
)
async def test_it_ends_with_what_it_was_made_with(strict: Live, end: End, *, by_key: bool) -> None:
    owner = await asyncio.to_thread(registered, strict)
    maker, key_id = await asyncio.to_thread(with_key, owner) if by_key else (owner, "")
    secret = await asyncio.to_thread(made, maker)
    async with connected(strict, secret) as connection:
        await asyncio.to_thread(end, owner, key_id)
        error = (await received_error(connection)).error
        assert error.code == "invalid_api_key"
    assert await asyncio.to_thread(status, strict, secret) == 401


async def received_error(connection: Any) -> Any:
    event = await connection.recv()
    assert event.type == "error", event
    return event


# ------------------------------------------------------------ what is refused


def test_nobody_gives_what_he_has_not(strict: Live) -> None:
    owner = registered(strict)
    reader, _ = with_key(owner, permissions=["read"])
    assert reader.post(CREATE, json={}).status_code == 403
    elsewhere, _ = with_key(owner, allowed_addresses=["127.0.0.1"])
    assert status(strict, made(elsewhere)) == 400
    admin = made(administrator(strict))
    assert status(strict, admin) == 400
    anybody = Visitor(server=strict, headers={"X-API-Key": admin})
    assert anybody.get("/admin/users").status_code == 401


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"session": said(model="nobody-knows-it")}, (404, "model_not_found", "model")),
        ({"session": said(language="klingon")}, (400, "validation_error", "language")),
        ({"session": {"type": "realtime"}}, (400, "validation_error", "session.type")),
        ({"expires_after": {"seconds": 9}}, (400, "validation_error", "expires_after.seconds")),
        ({"expires_after": {"seconds": 7201}}, (400, "validation_error", "expires_after.seconds")),
        ({"session": said(prompt="a" * 3900, keywords=["b" * 1900])}, (400, "validation_error", "session")),
    ],
)
def test_what_cannot_be_done_is_refused_when_it_is_made(
    strict: Live, body: dict[str, Any], answer: tuple[int, str, str]
) -> None:
    refused = administrator(strict).post(CREATE, json=body)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == answer


def test_what_nobody_has_made_lets_nobody_in(strict: Live, caplog: pytest.LogCaptureFixture) -> None:
    owner = registered(strict)
    secret = made(owner)
    head, body, signature = secret.split(".")
    changed = f"{head}.{body[:-2]}AA.{signature}"
    for wrong in (f"ek_{owner.token}", secret.removeprefix("ek_"), changed, "ek_", "ek_a.b.c"):
        assert status(strict, wrong) == 401, wrong
    assert signature not in caplog.text
