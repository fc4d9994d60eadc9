"""Every error in the documented format, whatever it is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic

import pytest
import requests
from attrs import evolve, frozen

from tests.api.conftest import MakeServer
from tests.golden import differences, error
from tests.live import Live
from tests.on_disk import stored_in
from tests.visitor import Visitor, administrator, limited
from whispercore.api.transcriber.dialect import TRANSCRIBER as DIALECT
from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Endpoint
from whispercore.contract.group import Api, T_co
from whispercore.people.caller import Caller
from whispercore_server.plugin import Plugin, serves
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER
from whispercore_server.ports import Ports


@frozen(kw_only=True)
class Nothing:
    """Asks for nothing."""


class Failing(TranscriberGroup[T_co], Generic[T_co]):
    """What fails."""

    tag = "failing"
    now = Endpoint("GET", "/failing", Nothing, Nothing, scope=None, doc="Fails.")


class FailingHandlers:
    @serves(Failing.now)
    async def now(self, request: Nothing, caller: Caller) -> Nothing:
        del request, caller
        raise RuntimeError("the password is swordfish")


def _handlers(_: Ports) -> Sequence[object]:
    return (FailingHandlers(),)


_API = Api(name="failing", title="F", version="1", dialect=DIALECT, groups=(Failing,), prefixes=("/failing",))
FAILING = Plugin(name="failing", apis=(_API,), handlers=_handlers)


def as_documented(answer: requests.Response, status: int, error_code: str) -> dict[str, Any]:
    """The body of an error, after a look at its format."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    body: dict[str, Any] = answer.json()
    assert differences(error("001", "SPECIFIC_ERROR_CODE"), body) == []
    assert body["error_code"] == error_code
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", body["timestamp"])
    assert "Traceback" not in answer.text
    return body


Ask = Callable[[Visitor, dict[str, Any]], requests.Response]

ERRORS: dict[str, tuple[int, str, Ask]] = {
    "a limit above the maximum": (400, "VALIDATION_ERROR", lambda who, _: who.get("/api/jobs/?limit=101")),
    "an unknown parameter": (400, "VALIDATION_ERROR", lambda who, _: who.get("/api/jobs/?nonsense=1")),
    "a body that is no JSON": (
        400,
        "VALIDATION_ERROR",
        lambda who, _: who.post("/auth/login", data="{", headers={"Content-Type": "application/json"}),
    ),
    "a body that is no object": (400, "VALIDATION_ERROR", lambda who, _: who.post("/auth/login", json=[1])),
    "an unknown event": (
        400,
        "VALIDATION_ERROR",
        lambda who, job: who.get(f"/api/progress/{job['job_id']}/events", headers={"Last-Event-ID": "x"}),
    ),
    "a wrong password": (
        401,
        "NOT_AUTHENTICATED",
        lambda who, _: who.post("/auth/login", json={"username": who.username, "password": "wrong"}),
    ),
    "no such job": (404, "NOT_FOUND", lambda who, _: who.get("/api/jobs/none")),
    "no such format": (404, "NOT_FOUND", lambda who, job: who.get(f"/api/export/download/{job['job_id']}/doc")),
    "no such path": (404, "NOT_FOUND", lambda who, _: who.get("/nothing/at/all")),
    "no such method": (405, "METHOD_NOT_ALLOWED", lambda who, _: who.send("PATCH", "/api/jobs/")),
    "a name that is taken": (
        409,
        "CONFLICT",
        lambda who, _: who.post("/auth/register", json={"username": who.username, "password": "correct horse 7"}),
    ),
    "cancelling what is over": (409, "CONFLICT", lambda who, job: who.post(f"/api/jobs/{job['job_id']}/cancel")),
    "retrying what is completed": (409, "CONFLICT", lambda who, job: who.post(f"/api/jobs/{job['job_id']}/retry")),
    "a body of 2 MB": (
        413,
        "PAYLOAD_TOO_LARGE",
        lambda who, _: who.post("/auth/login", json={"username": "x" * (2 << 20), "password": "x"}),
    ),
    "a body of another type": (
        415,
        "UNSUPPORTED_CONTENT_TYPE",
        lambda who, _: who.post("/auth/login", data={"username": "x", "password": "y"}),
    ),
    "a form of another type": (415, "UNSUPPORTED_CONTENT_TYPE", lambda who, _: who.post("/api/jobs/", json={})),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_as_documented(name: str, alice: Visitor, completed: dict[str, Any]) -> None:
    status, error_code, ask = ERRORS[name]
    body = as_documented(ask(alice, completed), status, error_code)
    assert body["detail"]
    if status == 400:
        assert body["validation_errors"]


def test_every_problem_of_a_request_is_told(alice: Visitor) -> None:
    answer = alice.get("/api/jobs/?limit=0&offset=-1&status=lost&created_after=yesterday&nonsense=1")
    told = as_documented(answer, 400, "VALIDATION_ERROR")["validation_errors"]
    assert {one.partition(":")[0] for one in told} >= {"status", "created_after", "nonsense"}


def test_nobody_is_asked_who_he_is(nobody: Visitor) -> None:
    answer = nobody.get("/api/jobs/")
    as_documented(answer, 401, "NOT_AUTHENTICATED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"Authorization": "Bearer "},
        {"X-API-Key": "wt_0000000000000000_0000000000000000_0000"},
        {"X-API-Key": ""},
        {"X-API-Key": "é".encode().decode("latin-1")},
    ],
    ids=str,
)
def test_a_wrong_credential_is_told_as_one(headers: dict[str, str], nobody: Visitor) -> None:
    as_documented(nobody.get("/api/jobs/", headers=headers), 401, "NOT_AUTHENTICATED")


def test_a_key_may_only_do_what_it_is_for(server: Live, audio: Path) -> None:
    reader = limited(server, "jobs:read")
    assert reader.get("/api/jobs/").status_code == 200
    told = as_documented(reader.upload(audio / "clip01-en.wav"), 403, "NOT_PERMITTED")
    assert told["needed"] == "jobs:create"
    as_documented(reader.send("DELETE", "/api/jobs/none"), 403, "NOT_PERMITTED")


def test_a_method_that_is_not_there_names_those_that_are(alice: Visitor) -> None:
    answer = alice.send("PUT", "/api/jobs/")
    as_documented(answer, 405, "METHOD_NOT_ALLOWED")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_what_is_no_media_is_415(alice: Visitor) -> None:
    answer = alice.post("/api/jobs/", files={"file": ("a.wav", b"no sound at all" * 99)})
    assert as_documented(answer, 415, "NOT_MEDIA")["found"]


def test_what_breaks_off_is_422(alice: Visitor, audio: Path) -> None:
    data = (audio / "clip01-en.wav").read_bytes()[:-30_000]
    answer = alice.post("/api/jobs/", files={"file": ("a.wav", data)}, data={"model": "micro"})
    assert as_documented(answer, 422, "TRUNCATED_MEDIA")["found"]


def test_a_failure_of_ours_tells_nothing(make_server: MakeServer, caplog: pytest.LogCaptureFixture) -> None:
    server = make_server(plugins=(TRANSCRIBER, FAILING))
    answer = Visitor(server=server).get("/failing")
    body = as_documented(answer, 500, "INTERNAL_ERROR")
    assert "swordfish" not in answer.text
    assert body["request_id"] in caplog.text


def test_a_full_queue_says_when_to_come_again(make_server: MakeServer, audio: Path) -> None:
    admin = administrator(make_server(worker=False, max_queue=1))
    admin.job(audio / "clip01-en.wav")
    answer = admin.upload(audio / "clip02-en.wav")
    body = as_documented(answer, 503, "SERVICE_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) == body["retry_after"] > 0
    assert admin.get("/api/jobs/").json()["total"] == 1
    assert len(stored_in(admin.server.ports.settings.data / "files")) == 1, "what was refused was kept"


def test_an_export_of_what_is_not_completed_is_409(make_server: MakeServer, audio: Path) -> None:
    admin = administrator(make_server(worker=False))
    job_id = admin.job(audio / "clip01-en.wav")
    as_documented(admin.get(f"/api/export/download/{job_id}/txt"), 409, "CONFLICT")


def test_a_model_is_a_name_of_the_store(alice: Visitor, audio: Path, micro_path: Path) -> None:
    """A path would hand any file of the server to a parser in C."""
    for name in (str(micro_path), "../micro", "micro.bin", "", " ", "nonsense"):
        told = alice.upload(audio / "clip01-en.wav", model=name)
        assert told.status_code == 400, told.text
    told = alice.upload(audio / "clip01-en.wav", model="medium")
    assert as_documented(told, 400, "MODEL_NOT_AVAILABLE")["available"] == ["micro"]


def test_sign_up_can_be_closed(make_server: MakeServer) -> None:
    answer = Visitor(server=make_server(sign_up=False)).post(
        "/auth/register", json={"username": "x", "password": "correct horse 7"}
    )
    as_documented(answer, 403, "NOT_PERMITTED")


def test_a_model_that_is_missing_is_told_before_the_recording_is_looked_at(
    make_server: MakeServer, tmp_path: Path, audio: Path
) -> None:
    from whispercore.settings import Settings

    library = evolve(Settings.from_environment(), models_dir=tmp_path / "none", default_model="tiny")
    admin = administrator(make_server(library=library))
    with (audio / "clip01-en.wav").open("rb") as file:
        answer = admin.post("/api/jobs/", files={"file": file})
    assert as_documented(answer, 400, "MODEL_NOT_AVAILABLE")["name"] == "tiny"
