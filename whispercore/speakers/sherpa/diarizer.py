"""The parent's side of sherpa-onnx: a ``Diarizer`` whose computation lives in a child of each recording."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TypeVar

from whispercore.children.supervisor import Child, Exit, Isolation
from whispercore.engines.engine import Control, Window
from whispercore.engines.whispercpp.engine import shared_threads
from whispercore.errors import EngineCrashed, EngineFailed, EngineStalled, InvalidOption, Preempted
from whispercore.machine import cores
from whispercore.models.voices import VoiceModels
from whispercore.settings import Settings
from whispercore.speakers.diarizer import OnDownload, OnHeard, Turn
from whispercore.speakers.sherpa.messages import CODEC, Failed, Finish, Heard, Load, Loaded, Sound, Taken, Told

SERVICE = "whispercore.speakers.sherpa.child"
MAX_THREADS = 4
"""The models are small: more threads than this wait for each other."""
PIECE_S = 1800.0
"""So much of a recording is held at once: 115 MB, and the same again while it is heard."""
THRESHOLD = 0.5
"""From which distance on two voices are two people, where their number is not known; sherpa-onnx's own default."""
SILENCE_LIMIT_S = 900.0
"""How long the child may say nothing, while somebody waits for it."""

_Answer = TypeVar("_Answer", Loaded, Taken, Told)


class SherpaOnnx:
    """sherpa-onnx with pyannote's segmentation and the embedding model that the settings name.

    Args:
        settings: Where the models are, and which one tells voices apart.
        threads: Processor threads; None for this machine's best.
        models: The models.
        piece_s: So much of a recording is heard at once, in seconds; people are known again from piece to piece.
        isolation: ``none`` computes in this process.

    Raises:
        InvalidOption: sherpa-onnx is not installed, or the settings name no model that tells voices apart.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        threads: int | None = None,
        models: VoiceModels | None = None,
        piece_s: float = PIECE_S,
        isolation: Isolation = "process",
    ) -> None:
        if find_spec("sherpa_onnx") is None:
            raise InvalidOption(
                "diarize",
                "sherpa-onnx, which tells voices apart, is not installed: pip install 'whispercore[diarize]'",
            )
        self._models = models if models is not None else VoiceModels(settings)
        self._names = (self._models.segmentation, self._models.embedding(settings.voice_model))
        usual = shared_threads() if settings.throughput else cores()
        self._threads = min(threads or settings.threads or usual, MAX_THREADS)
        self._piece_s = piece_s
        self._isolation: Isolation = isolation

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of its models that are not on this machine."""
        return tuple(name for name in self._names if not self._models.is_here(name))

    def prepare(self, on_download: OnDownload | None = None) -> None:
        """Download the models that are missing, and check those that are here.

        Raises:
            ModelError: They cannot be had.
        """
        for name in self._names:
            self._models.get(name, on_progress=on_download)

    def diarize(
        self, windows: Iterable[Window], *, speakers: int | None, control: Control, on_heard: OnHeard | None = None
    ) -> tuple[Turn, ...]:
        """Who speaks when. The child hears a piece while the next window is waited for, and is killed on cancel."""
        control.check()
        segmentation, embedding = (str(self._models.get(name)) for name in self._names)
        answers: queue.SimpleQueue[object] = queue.SimpleQueue()
        child = Child(
            SERVICE,
            CODEC,
            receive=lambda message, _body: answers.put(message),
            exited=answers.put,
            isolation=self._isolation,
        )
        undo = control.on_cancel(lambda: child.kill("cancelled"))
        call = _Call(answers, control, on_heard)
        try:
            child.send(Load(segmentation, embedding, self._threads, speakers, THRESHOLD, self._piece_s))
            call.wait(Loaded)
            for window in windows:
                child.send(Sound(), window.samples)
                call.wait(Taken)
            child.send(Finish())
            return call.wait(Told).turns
        finally:
            undo()
            child.kill("the recording is heard")


class _Call:
    """Waits for the child's answers.

    Args:
        answers: What it says, and how it ended.
        control: Of the caller.
        on_heard: Told how many seconds are done.
    """

    def __init__(self, answers: queue.SimpleQueue[object], control: Control, on_heard: OnHeard | None) -> None:
        self._answers = answers
        self._control = control
        self._on_heard = on_heard

    def wait(self, kind: type[_Answer]) -> _Answer:
        """The next answer, which is of this kind.

        Raises:
            Cancelled: Through the control.
            EngineCrashed: The child died.
            EngineFailed: It cannot do it.
            EngineStalled: It says nothing.
        """
        deadline = time.monotonic() + SILENCE_LIMIT_S
        while True:
            try:
                answer = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise EngineStalled("the diarizer", SILENCE_LIMIT_S) from None
            self._control.check()
            match answer:
                case Heard():
                    deadline = time.monotonic() + SILENCE_LIMIT_S
                    if self._on_heard is not None:
                        self._on_heard(answer.done_s)
                case Failed():
                    raise EngineFailed(answer.reason)
                case Exit():
                    raise Preempted if answer.killed else EngineCrashed(answer.reason, answer.stderr, answer.signal)
                case _ if isinstance(answer, kind):
                    return answer
