"""What a request asks of its job, as the task of that job understands it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from whispercore.api.transcriber.job_options import JobOptions, Priority
from whispercore.audio.vad import Vad
from whispercore.errors import InvalidRequest, NotFound
from whispercore.hallucinations import Hallucinations
from whispercore.people.caller import Caller
from whispercore.tasks.options import TranscribeOptions
from whispercore_server.ports import Ports

PRIORITIES: Final[MappingProxyType[Priority, int]] = MappingProxyType({"low": -1, "normal": 0, "high": 1, "urgent": 2})
REPEATED: Final = MappingProxyType({"Idempotent-Replayed": "true"})
"""Headers of an answer about a job that an earlier request with the same ``Idempotency-Key`` made."""


async def options_of(ports: Ports, asked: JobOptions, caller: Caller, *, url: str | None = None) -> TranscribeOptions:
    """The options of a job; its model can be used here, and its webhook is the caller's.

    Raises:
        InvalidRequest: The caller has no such webhook.
        UnknownModel: No model has this name; paths are none.
        ModelNotAvailable: It is known, but not on this machine, and may not be fetched.
        InvalidOption: A value is out of range, the model's engine cannot do it, or nothing here can tell voices apart.
    """
    if asked.webhook_id is not None:
        try:
            await ports.webhooks.owned(asked.webhook_id, caller)
        except NotFound as error:
            raise InvalidRequest.one("webhook_id", str(error)) from error
    options = TranscribeOptions(
        model=await ports.submissions.model(asked.model),
        fallback=tuple([await ports.submissions.model(one) for one in asked.fallback]),
        language=asked.language,
        languages=asked.languages,
        code_switching=asked.code_switching,
        translate=asked.translate,
        prompt=asked.prompt,
        temperature=asked.temperature,
        temperature_step=asked.temperature_step,
        beam_size=asked.beam_size,
        words=asked.words,
        channels=asked.channels,
        diarize=asked.diarize,
        speakers=asked.speakers,
        keep_damaged=asked.keep_damaged,
        vad=_vad(asked),
        hallucinations=Hallucinations(
            policy=asked.hallucinations,
            cut_loops=asked.cut_loops,
            condition_on_previous_text=asked.condition_on_previous_text,
        ),
        url=url,
        webhook_id=asked.webhook_id,
    )
    await ports.submissions.check(options)
    return options


def _vad(asked: JobOptions) -> Vad | None:
    if not asked.vad:
        return None
    return Vad(
        detector=asked.vad_detector,
        threshold=asked.vad_threshold,
        min_speech_s=asked.vad_min_speech_s,
        min_silence_s=asked.vad_min_silence_s,
        pad_s=asked.vad_pad_s,
    )
