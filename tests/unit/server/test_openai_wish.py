"""What a request of OpenAI's API asks of a job."""

from __future__ import annotations

from typing import Any

import pytest

from whispercore.api.openai.audio import CreateTranscription
from whispercore_server.plugins.openai.wish import Wish


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, (False, "tokens")),
        ({"include": ["logprobs"]}, (True, "tokens")),
        ({"response_format": "verbose_json", "timestamp_granularities": ["word"]}, (True, None)),
    ],
    ids=["text", "logprobs", "words"],
)
def test_words_are_aligned_for_who_wants_their_times(asked: dict[str, Any], expected: tuple[bool, str | None]) -> None:
    request = CreateTranscription(file=b"", model="micro", **asked)
    options = Wish.of(request).options(request, "micro")
    assert (options.words, options.word_times) == expected
