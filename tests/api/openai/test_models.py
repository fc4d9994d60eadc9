"""Models, as OpenAI's programs look for them."""

from __future__ import annotations

import openai
import pytest

from tests.api.openai.conftest import OpenAi
from tests.both_clients import Both
from tests.visitor import Visitor
from whispercore.errors import NotFound


async def test_models_are_those_of_this_server(speech: OpenAi) -> None:
    found = (await speech.call(lambda c: c.models.list())).data
    assert {one.id for one in found} == {"micro", "whisper-1"}
    assert {one.object for one in found} == {"model"}
    micro = await speech.call(lambda c: c.models.retrieve("micro"))
    assert micro in found
    assert (micro.owned_by, micro.created > 0) == ("whispercore", True)
    assert micro.engine == "whisper-cpp"
    assert micro.options == ["words", "translate", "prompt", "temperature", "temperature_step", "beam_size"]


async def test_an_unknown_model_is_404(speech: OpenAi) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await speech.call(lambda c: c.models.retrieve("gpt-5"))
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


async def test_our_own_clients_have_them_too(client: Both) -> None:
    found = await client.call(lambda c: c.openai.models.list())
    assert await client.call(lambda c: c.openai.models.get("micro")) in found.data
    with pytest.raises(NotFound, match="there is no model 'none'"):
        await client.call(lambda c: c.openai.models.get("none"))


def test_nobody_sees_them_without_a_key(nobody: Visitor) -> None:
    answer = nobody.get("/v1/models")
    assert answer.status_code == 401
    assert answer.json()["error"].items() >= {"type": "invalid_request_error", "code": "invalid_api_key"}.items()
