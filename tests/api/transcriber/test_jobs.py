"""Jobs through both clients: their whole life, how they are listed, and what can be asked of them."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from attrs import evolve
from sqlalchemy import select

from tests.api.conftest import APIS, MakeServer
from tests.both_clients import Both, both
from tests.live import ADMIN_KEY, Live
from tests.on_disk import stored_in
from tests.sounds import noise
from tests.speech import in_languages, samples, truth, word_errors, write_wav
from tests.visitor import Visitor, registered
from whispercore import Transcript, transcribe
from whispercore.api.transcriber.jobs import JobDetail, JobRow
from whispercore.audio.vad import Vad
from whispercore.database.tables import jobs
from whispercore.errors import (
    Conflict,
    EngineAway,
    InvalidOption,
    InvalidRequest,
    JobFailed,
    NotFound,
    UnknownModel,
    WhispercoreError,
)
from whispercore.people.caller import Caller
from whispercore.people.scopes import ROLES
from whispercore.tasks.options import TranscribeOptions
from whispercore.testing import ScriptedEngine
from whispercore.testing.scripted import EVERYTHING
from whispercore.transcript import Fallback


def stored(server: Live) -> set[Path]:
    """Everything in the store of recordings."""
    return set(stored_in(server.ports.settings.data / "files"))


async def created(client: Both, recording: Path, **options: Any) -> str:
    job = await client.call(lambda c: c.jobs.create(file=recording, model="micro", **options))
    return str(job.job_id)


async def done(client: Both, recording: Path | BinaryIO | str, **options: Any) -> JobDetail:
    job: JobDetail = await client.call(lambda c: c.transcribe(recording, model="micro", **options))
    assert job.transcript is not None
    return job


def phrases(found: JobDetail | Transcript) -> list[tuple[float, float, str]]:
    """What was said when, from a server or from the library."""
    if isinstance(found, Transcript):
        return [(one.start_s, one.end_s, one.text) for one in found.segments]
    assert found.transcript is not None
    return [(one.start, one.end, one.text) for one in found.transcript.segments]


# ---------------------------------------------------------------- a whole life


async def test_the_whole_life_of_a_job(client: Both, audio: Path, newcomer: Visitor) -> None:
    before = stored(newcomer.server)
    sent: list[int] = []
    watched = client.with_options(on_upload=lambda done_bytes, _: sent.append(done_bytes))
    made = await watched.call(lambda c: c.jobs.create(file=audio / "clip04-en.wav", model="micro", language="English"))
    assert (made.status, made.filename, made.model) == ("queued", "clip04-en.wav", "micro")
    assert made.created_at.tzinfo is not None
    assert sent == sorted(sent)
    assert sent[-1] > (audio / "clip04-en.wav").stat().st_size

    seen: list[int] = []
    job = await client.call(lambda c: c.wait(made.job_id, on_progress=lambda now: seen.append(now.progress)))
    assert (job.status, job.progress, job.stage, job.attempt, job.language) == ("completed", 100, "completed", 1, "en")
    assert seen == sorted(seen)
    assert job.created_at <= job.started_at <= job.completed_at
    assert job.duration_s == pytest.approx((job.completed_at - job.created_at).total_seconds())
    assert word_errors(str(truth()["clip04-en.wav"]["text"]), job.transcript.text) <= 0.35
    assert 0 < job.transcript.confidence <= 1
    assert [one.quality and one.quality.verdict for one in job.transcript.segments] == ["good"]
    assert job.audio_duration_s == pytest.approx(3.55, abs=0.01)
    assert job.partial_segments == []

    page = await client.call(lambda c: c.jobs.list())
    (row,) = page.jobs
    assert (page.total, row.job_id, row.status) == (1, made.job_id, "completed")
    assert job.transcript.text.startswith(row.transcript_preview.rstrip("…. "))

    with pytest.raises(Conflict):
        await client.call(lambda c: c.jobs.cancel(made.job_id))
    with pytest.raises(Conflict):
        await client.call(lambda c: c.jobs.retry(made.job_id))
    assert stored(newcomer.server) != before
    await client.call(lambda c: c.jobs.delete(made.job_id))
    assert stored(newcomer.server) == before
    for gone in _everything_about(made.job_id):
        with pytest.raises(NotFound):
            await gone(client)
    assert (await client.call(lambda c: c.jobs.list())).total == 0


def _everything_about(job_id: str) -> list[Callable[[Both], Any]]:
    """All that can be asked of a job."""
    calls: list[Callable[[Any], Any]] = [
        lambda c: c.jobs.get(job_id),
        lambda c: c.jobs.cancel(job_id),
        lambda c: c.jobs.retry(job_id),
        lambda c: c.progress.get(job_id),
        lambda c: c.jobs.delete(job_id),
    ]
    return [
        *((lambda client, make=make: client.call(make)) for make in calls),
        lambda client: client.all(lambda c: c.progress.events(job_id)),
        lambda client: client.download(lambda c: c.exports.download(job_id, "txt"), lambda file: file.read()),
    ]


async def test_somebody_elses_job_is_none(client: Both, completed: dict[str, Any], alice: Visitor) -> None:
    for ask in _everything_about(completed["job_id"]):
        with pytest.raises(NotFound) as caught:
            await ask(client)
        assert (caught.value.what, caught.value.id) == ("job", completed["job_id"])
    assert (await asyncio.to_thread(alice.get, f"/api/jobs/{completed['job_id']}")).status_code == 200


async def test_an_administrator_sees_all(kind: str, server: Live, completed: dict[str, Any]) -> None:
    async with both(kind, server.url, api_key=ADMIN_KEY) as admin:
        job = await admin.call(lambda c: c.jobs.get(completed["job_id"]))
        assert job.transcript.text == completed["transcript"]["text"]
        assert (await admin.call(lambda c: c.jobs.list())).total > 0


# ---------------------------------------------------------------- lists


def _cancel(job_id: str, c: Any) -> Any:
    return c.jobs.cancel(job_id)


async def test_jobs_are_listed_as_wanted(kind: str, make_server: MakeServer, audio: Path) -> None:
    server = make_server(worker=False)
    owner = await asyncio.to_thread(registered, server)
    async with both(kind, server.url, token=owner.token) as client:
        ids = [await created(client, audio / f"clip0{number}-en.wav") for number in (1, 2, 3, 4, 5)]
        for job_id in (ids[1], ids[3]):
            await client.call(partial(_cancel, job_id))

        async def listed(**wanted: Any) -> list[str]:
            rows = await client.all(lambda c: c.jobs.list.each(**wanted))
            page = await client.call(lambda c: c.jobs.list(**wanted))
            assert page.jobs == rows[: page.limit]
            return [str(one.job_id) for one in rows]

        newest_first = ids[::-1]
        assert await listed() == newest_first
        for limit in (1, 2, 3, 5, 100):
            assert await listed(limit=limit) == newest_first
        assert await listed(offset=2, limit=2) == newest_first[2:]
        assert await listed(offset=9) == []
        assert await listed(status="queued") == [ids[4], ids[2], ids[0]]
        assert await listed(status="cancelled", limit=1) == [ids[3], ids[1]]
        assert await listed(status="completed") == []

        third: JobRow = (await client.call(lambda c: c.jobs.list(offset=2, limit=1))).jobs[0]
        assert await listed(created_after=third.created_at) == [ids[4], ids[3]]
        other_zone = third.created_at.astimezone(timezone(timedelta(hours=5)))
        assert await listed(created_after=other_zone, status="queued") == [ids[4]]
        assert await listed(created_after=datetime.now(UTC) + timedelta(hours=1)) == []

        page = await client.call(lambda c: c.jobs.list(skip=3))
        assert (page.skip, page.offset, page.total, len(page.jobs)) == (3, 3, 5, 2)
        with pytest.raises(InvalidRequest):
            await client.call(lambda c: c.jobs.list(skip=1, offset=2))


async def test_completed_jobs_can_be_listed_by_that(alices: Both, completed: dict[str, Any]) -> None:
    rows = await alices.all(lambda c: c.jobs.list.each(status="completed", limit=1))
    assert completed["job_id"] in [row.job_id for row in rows]
    assert (await alices.call(lambda c: c.jobs.list(status="failed"))).jobs == []


# ---------------------------------------------------------------- what is asked for

OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing": ("clip05-en.wav", {}),
    "a language that is detected": ("clip13-de.wav", {}),
    "a language by name": ("clip17-es.wav", {"language": "Spanish"}),
    "languages that it may be": ("clip14-de.wav", {"languages": ["French", "de"]}),
    "several languages": ("mixed.wav", {"code_switching": True}),
    "english": ("clip18-es.wav", {"language": "es", "translate": True}),
    "a prompt": ("clip06-en.wav", {"prompt": "The teacher, the doctor."}),
    "words": ("clip07-en.wav", {"words": True}),
    "what is made up": ("clip10-en.wav", {"hallucinations": "drop", "cut_loops": True}),
    "the text before": ("clip11-en.wav", {"condition_on_previous_text": True}),
    "a beam": ("clip08-en.wav", {"beam_size": 3}),
    "a temperature": ("clip09-en.wav", {"temperature": 0.4, "temperature_step": 0.0}),
    "channels": ("call.wav", {"channels": "separate"}),
}


def _call(folder: Path) -> Path:
    """Two people, who begin at the same time on a channel each."""
    first, second = samples("clip01-en.wav"), samples("clip04-en.wav")
    together = np.zeros((max(len(first), len(second)), 2), np.float32)
    together[: len(first), 0], together[: len(second), 1] = first, second
    return write_wav(folder / "call.wav", together.reshape(-1), channels=2)


@pytest.mark.parametrize("name", OPTIONS)
async def test_a_server_does_what_the_library_does(name: str, newcomer: Visitor, audio: Path, tmp_path: Path) -> None:
    filename, options = OPTIONS[name]
    recording = audio / filename
    if "channels" in options:
        recording = _call(tmp_path)
    elif "code_switching" in options:
        recording = in_languages(tmp_path / filename, "clip05-en.wav", "clip13-de.wav")
    here = await asyncio.to_thread(transcribe, recording, model="micro", **options)
    async with both("sync", newcomer.server.url, token=newcomer.token) as client:
        there = await done(client, recording, **options)
    assert phrases(there) == phrases(here)
    assert there.transcript is not None
    assert there.language == there.transcript.language == here.language
    assert [[word.text for word in one.words] for one in there.transcript.segments] == [
        [word.text for word in one.words] for one in here.segments
    ]
    assert there.transcript.languages == list(here.languages)
    assert there.transcript.likely_languages == list(here.likely_languages)
    assert bool(here.likely_languages) == ("language" not in options)
    assert [(one.language, one.language_probability) for one in there.transcript.segments] == [
        (one.language, one.language_probability) for one in here.segments
    ]
    if "words" in options:
        assert all(one.words for one in there.transcript.segments)
    if "channels" in options:
        assert {one.channel for one in there.transcript.segments} == {0, 1}
    elif "code_switching" in options:
        assert {one.code for one in there.transcript.languages} == {"en", "de"}
    else:
        expected = truth()[filename]["english" if "translate" in options else "text"]
        assert word_errors(str(expected), there.transcript.text) <= 0.35


@pytest.mark.parametrize("fields", [["French", "de"], ["French, de"], ["fr", "de,German"]])
def test_a_form_has_languages_one_by_one_or_with_commas(newcomer: Visitor, audio: Path, fields: list[str]) -> None:
    recording = ("clip14-de.wav", (audio / "clip14-de.wav").read_bytes())
    said = [("model", "micro"), *(("languages", one) for one in fields)]
    answer = newcomer.post("/api/jobs/", files={"file": recording}, data=said)
    assert answer.status_code == 201, answer.text
    query = select(jobs.c.options).where(jobs.c.id == answer.json()["job_id"])
    (row,) = newcomer.server.run(newcomer.server.ports.database.rows(query))
    assert TranscribeOptions.load(row.options).languages == ("fr", "de")
    newcomer.post(f"/api/jobs/{answer.json()['job_id']}/cancel")


@pytest.mark.parametrize("languages", ["de,klingon", "de,", "", ["de", "klingon"]])
async def test_a_language_that_nobody_knows_is_named(alices: Both, audio: Path, languages: list[str] | str) -> None:
    with pytest.raises(InvalidRequest, match="one of the 100 languages") as refused:
        await alices.call(lambda c: c.jobs.create(file=audio / "clip14-de.wav", model="micro", languages=languages))
    assert [one.field for one in refused.value.problems] == ["languages"]


async def test_the_speakers_of_a_call_and_their_names(client: Both, newcomer: Visitor, tmp_path: Path) -> None:
    job = await done(client, _call(tmp_path), channels="separate", diarize=True, words=True)
    assert job.transcript is not None
    assert {one.name for one in job.transcript.speakers} == {"speaker_1", "speaker_2"}
    for one in job.transcript.segments:
        name = f"speaker_{(one.channel or 0) + 1}"
        assert {one.speaker, *(word.speaker for word in one.words)} == {name}
    his = [place for who in job.transcript.speakers for place in who.segments]
    assert sorted(his) == list(range(len(job.transcript.segments)))
    await client.call(lambda c: c.transcripts.rename_speaker(job.job_id, version=1, speaker="speaker_2", name="Dr Zoë"))
    renamed = await client.call(lambda c: c.jobs.get(job.job_id))
    assert renamed.transcript is not None
    assert {one.name for one in renamed.transcript.speakers} == {"speaker_1", "Dr Zoë"}
    text, voices = (
        newcomer.send("GET", f"/api/export/download/{job.job_id}/{kind}").text
        for kind in ("txt?layout=speakers", "vtt")
    )
    assert "Dr Zoë: " in text
    assert "<v Dr Zoë>" in voices


@pytest.mark.parametrize(
    "options",
    [
        {"speakers": 2},
        {"diarize": True, "speakers": 0},
        {"diarize": True, "speakers": 2, "channels": "separate"},
    ],
)
async def test_speakers_that_make_no_sense_are_refused(client: Both, audio: Path, options: dict[str, Any]) -> None:
    with pytest.raises((InvalidRequest, InvalidOption), match="speakers"):
        await client.call(lambda c: c.jobs.create(file=audio / "clip01-en.wav", model="micro", **options))


async def test_voices_that_nobody_here_can_tell_apart_are_refused(client: Both, audio: Path) -> None:
    """This server is offline, and the models are not here."""
    with pytest.raises((InvalidRequest, InvalidOption), match=r"no 3dspeaker-eres2net-base, which tell voices apart"):
        await client.call(lambda c: c.jobs.create(file=audio / "clip01-en.wav", model="micro", diarize=True))


async def test_bytes_files_and_paths_are_the_same_recording(client: Both, audio: Path) -> None:
    """And the same as through ``transcribe()``."""
    path = audio / "clip10-en.wav"
    here = await asyncio.to_thread(transcribe, path, model="micro")
    with path.open("rb") as file:
        for given in (str(path), file, io.BytesIO(path.read_bytes())):
            assert phrases(await done(client, given)) == phrases(here)


async def test_a_noisy_copy_is_less_sure(client: Both, audio: Path, tmp_path: Path) -> None:
    clean = samples("clip11-en.wav")
    noise = np.random.default_rng(7).normal(0, 0.08, len(clean)).astype(np.float32)
    noisy = write_wav(tmp_path / "noisy.wav", (clean + noise).astype(np.float32))
    sure, unsure = [(await done(client, path)).transcript for path in (audio / "clip11-en.wav", noisy)]
    assert sure is not None
    assert unsure is not None
    assert sure.confidence is not None
    assert unsure.confidence is not None
    assert unsure.confidence < sure.confidence - 0.02


WRONG: tuple[dict[str, Any], ...] = ({"beam_size": 9}, {"temperature": 1.5}, {"prompt": "x" * 4001})


async def test_what_cannot_be_is_refused_before_it_is_sent(client: Both, audio: Path) -> None:
    for wrong in WRONG:
        with pytest.raises(InvalidRequest):
            await created(client, audio / "clip01-en.wav", **wrong)
    assert (await client.call(lambda c: c.jobs.list())).total == 0


# ---------------------------------------------------------------- in the middle


async def half_way(client: Both, recording: Path, **options: Any) -> str:
    """A job that has finished something, and not all."""
    job_id = await created(client, recording, **options)

    def heard(c: Any) -> Any:
        return c.progress.events(job_id)

    if client.is_sync:
        await asyncio.to_thread(
            lambda: next(one for one in heard(client.client) if type(one).__name__ in ("Heard", "Ended"))
        )
    else:
        async for one in heard(client.client):
            if type(one).__name__ in ("Heard", "Ended"):
                break
    return job_id


@pytest.fixture(scope="session")
def undisturbed(minutes: Path) -> Transcript:
    return transcribe(minutes, model="micro")


async def test_a_cancelled_job_keeps_what_it_has_and_goes_on_when_it_is_retried(
    client: Both, minutes: Path, undisturbed: Transcript
) -> None:
    job_id = await half_way(client, minutes)
    cancelled = await client.call(lambda c: c.jobs.cancel(job_id))
    assert (cancelled.job_id, cancelled.status) == (job_id, "cancelled")
    job = await client.call(lambda c: c.jobs.get(job_id))
    assert (job.status, job.transcript, job.completed_at) == ("cancelled", None, None)
    assert job.cancelled_at is not None
    kept = [one.text for one in job.partial_segments]
    assert kept == [one.text for one in undisturbed.segments][: len(kept)]
    assert kept
    with pytest.raises(Conflict):
        await client.call(lambda c: c.jobs.cancel(job_id))
    with pytest.raises(JobFailed) as caught:
        await client.call(lambda c: _succeeded(c, job_id))
    assert caught.value.failure_reason == "cancelled"

    assert (await client.call(lambda c: c.jobs.retry(job_id))).status == "queued"
    with pytest.raises(Conflict):
        await client.call(lambda c: c.jobs.retry(job_id))
    job = await client.call(lambda c: c.wait(job_id))
    assert (job.status, job.attempt) == ("completed", 2)
    assert phrases(job) == phrases(undisturbed)


def _succeeded(client: Any, job_id: str) -> Any:
    """What ``transcribe`` of the client makes of a job's end."""
    from whispercore_client.waiting import succeeded

    waiting = client.wait(job_id)
    if not asyncio.iscoroutine(waiting):
        return succeeded(waiting)

    async def wait() -> JobDetail:
        return succeeded(await waiting)

    return wait()


async def test_a_job_is_deleted_while_it_runs(client: Both, minutes: Path, newcomer: Visitor) -> None:
    before = stored(newcomer.server)
    job_id = await half_way(client, minutes)
    await client.call(lambda c: c.jobs.delete(job_id))
    assert stored(newcomer.server) == before
    with pytest.raises(NotFound):
        await client.call(lambda c: c.jobs.get(job_id))
    assert (await client.call(lambda c: c.jobs.list())).total == 0


async def test_who_follows_a_job_that_is_deleted_is_told(client: Both, minutes: Path, newcomer: Visitor) -> None:
    job_id = await half_way(client, minutes)
    following = asyncio.create_task(client.all(lambda c: c.progress.events(job_id)))
    await asyncio.to_thread(newcomer.until, job_id, lambda seen: seen["current_segment"] > 0)
    await asyncio.to_thread(newcomer.send, "DELETE", f"/api/jobs/{job_id}")
    with pytest.raises(NotFound):
        await following


async def test_many_at_once_are_all_done(client: Both, audio: Path) -> None:
    clips = [audio / f"clip0{number}-en.wav" for number in range(1, 5)]
    jobs = await asyncio.gather(*(done(client, clip, language="en") for clip in clips))
    for clip, job in zip(clips, jobs, strict=True):
        assert job.transcript is not None
        assert word_errors(str(truth()[clip.name]["text"]), job.transcript.text) <= 0.35


async def test_the_errors_of_a_server_are_those_of_the_library(client: Both, audio: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    for data in (b"no sound", (audio / "clip01-en.wav").read_bytes()[:20_000]):
        bad.write_bytes(data)
        with pytest.raises(WhispercoreError) as here:
            await asyncio.to_thread(transcribe, bad, model="micro")
        with pytest.raises(type(here.value)) as there:
            await client.call(lambda c: c.transcribe(bad, model="micro"))
        assert type(there.value) is type(here.value)
        assert there.value.name == "bad.wav"  # type: ignore[attr-defined]  # both are errors of media
        assert there.value.found  # type: ignore[attr-defined]


@pytest.mark.parametrize("vad", [True, Vad(detector="energy", threshold=0.4, min_silence_s=0.5, pad_s=0.2)])
async def test_where_nobody_speaks_there_is_no_text(
    client: Both, newcomer: Visitor, tmp_path: Path, vad: Vad | bool
) -> None:
    path = write_wav(tmp_path / "noise.wav", noise(10))
    job = await client.call(lambda c: c.transcribe(path, model="micro", vad=vad))
    assert (job.transcript.text, job.transcript.segments, job.transcript.no_speech) == ("", [], True)
    caller = Caller(user_id=newcomer.user_id, username="newcomer", scopes=ROLES["user"], via="token")
    kept = await newcomer.server.ports.jobs.owned(job.job_id, caller)
    assert TranscribeOptions.load(kept.options).vad == (vad if isinstance(vad, Vad) else Vad())


async def test_what_is_left_out_is_told(client: Both, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "noise.wav", noise(10, 0.05))
    job = await client.call(
        lambda c: c.transcribe(path, model="micro", language="en", vad=False, hallucinations="drop")
    )
    assert (job.transcript.segments, job.transcript.no_speech) == ([], True)
    assert [one.verdict for one in job.transcript.dropped] == ["repetitive"]
    shown = await client.call(lambda c: c.files_v1.transcriptions.get(job.job_id))
    assert shown.dropped == job.transcript.dropped


async def test_voice_activity_that_cannot_work(client: Both, audio: Path) -> None:
    with pytest.raises(WhispercoreError) as error:
        await client.call(lambda c: c.jobs.create(file=audio / "clip01-en.wav", vad_pad_s=2.0, vad_min_silence_s=1.0))
    assert "vad_pad_s" in str(error.value)


async def test_what_the_engine_cannot_do_is_refused_with_its_name(make_server: MakeServer, audio: Path) -> None:
    deaf = ScriptedEngine(can=evolve(EVERYTHING, beam_size=False))
    server = make_server(plugins=(*APIS[:-1], evolve(APIS[-1], engines={**APIS[-1].engines, "deaf": deaf})))
    async with both("async", server.url, api_key=server.admin_key) as client:
        clip = audio / "clip01-en.wav"
        for model, fallback in (("deaf:micro", []), ("micro", ["deaf:micro"])):
            create = partial(_created, file=clip, model=model, fallback=fallback, beam_size=4)
            with pytest.raises(InvalidRequest) as refused:
                await client.call(create)
            (problem,) = refused.value.problems
            assert (problem.field, problem.reason) == ("beam_size", "the engine deaf cannot do it")
        assert not (await client.call(lambda c: c.jobs.list())).jobs


def _created(client: Any, **options: Any) -> Any:
    return client.jobs.create(**options)


async def test_another_model_goes_on_where_that_is_allowed(make_server: MakeServer, audio: Path) -> None:
    away = ScriptedEngine(lambda _: EngineAway("no connection"))
    server = make_server(plugins=(*APIS[:-1], evolve(APIS[-1], engines={**APIS[-1].engines, "away": away})))
    async with both("async", server.url, api_key=server.admin_key) as client:
        clip = audio / "clip01-en.wav"
        job = await client.call(lambda c: c.transcribe(clip, model="away:micro", fallback=["micro"]))
        usual = await client.call(lambda c: c.transcribe(clip, model="micro"))
        assert job.transcript.text == usual.transcript.text
        assert (job.transcript.engine, job.model) == ("whisper-cpp", "away:micro")
        reason = "the engine is away: no connection"
        assert job.transcript.fallback_from == [Fallback(model="micro", engine="away", reason=reason)]
        assert (usual.transcript.engine, usual.transcript.fallback_from) == ("whisper-cpp", [])
        for wrong in ("no-such-model", "nobody:micro", "secret.bin"):
            with pytest.raises(UnknownModel):
                await done(client, clip, fallback=[wrong])
        with pytest.raises(InvalidRequest):
            await client.call(lambda c: c.jobs.create(file=clip, fallback=["micro"] * 6))


def test_options_are_all_tried() -> None:
    """Those of ``jobs.create`` that change what comes out."""
    from attrs import fields

    from whispercore.api.transcriber.jobs import CreateJob

    tried = set(itertools.chain.from_iterable(options for _, options in OPTIONS.values()))
    elsewhere = {
        "file",
        "model",
        "fallback",
        "keep_damaged",
        "priority",
        "idempotency_key",
        "url",
        "webhook_id",
        "diarize",
        "speakers",
        "vad",
        "vad_detector",
        "vad_threshold",
        "vad_min_speech_s",
        "vad_min_silence_s",
        "vad_pad_s",
    }
    assert {one.name for one in fields(CreateJob)} == tried | elsewhere
