from __future__ import annotations

import pytest
from attrs import frozen

from whispercore.api.transcriber.progress import Ended, Heard, JobEvent, Progressed
from whispercore.contract.messages import Event, Message, tagged, untagged
from whispercore.contract.wire import Json


@frozen(kw_only=True)
class Said(Message):
    """What this channel carries."""


@frozen(kw_only=True)
class TextSaid(Said):
    text: str


@frozen(kw_only=True)
class Left(Said):
    tag = "bye"


@frozen(kw_only=True)
class Alone(Event):
    n: int


def test_classes_are_known_by_their_tags() -> None:
    assert tagged(JobEvent) == {"progress": Progressed, "segment": Heard, "end": Ended}
    assert tagged(Said) == {"text_said": TextSaid, "bye": Left}
    assert tagged(Alone) == {"alone": Alone}


def test_a_message_there_and_back() -> None:
    said = TextSaid(text="a")
    assert said.to_json() == {"text": "a"}
    assert untagged(Said, said.tag, said.to_json()) == said
    assert untagged(Said, "bye", {"more": 1}) == Left()


def test_a_tag_of_a_later_version_is_no_error() -> None:
    assert untagged(Said, "shouted", {}) is None


def test_wrong_fields_are_an_error() -> None:
    nonsense: list[Json] = [{}, {"text": 1}, [], None, "text"]
    for wrong in nonsense:
        with pytest.raises(ValueError, match=r"expected|missing"):
            untagged(Said, "text_said", wrong)


def test_the_id_of_an_event_travels_beside_it() -> None:
    event = Ended(id="7", job_id="j", status="failed", failure_reason="x")
    body = event.to_json()
    assert isinstance(body, dict)
    assert "id" not in body
    assert Ended.at(body, "7") == event
    assert Ended.at(body, None).id is None
    with pytest.raises(ValueError, match="not an object"):
        Ended.at([], "7")
    with pytest.raises(ValueError, match="status"):
        Ended.at({"job_id": "j", "status": "odd"}, "7")
