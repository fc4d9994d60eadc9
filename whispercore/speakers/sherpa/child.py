"""The diarizer's child: one recording, held a piece at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from whispercore.children.frames import Channel
from whispercore.engines.engine import SAMPLE_RATE
from whispercore.speakers.diarizer import Turn
from whispercore.speakers.sherpa.messages import CODEC, Failed, Finish, Heard, Load, Loaded, Sound, Taken, Told
from whispercore.speakers.sherpa.pieces import Piece, Samples, Voice, linked, numbered, piece_of

__all__ = ["CODEC", "serve"]

_SHORTEST_TURN_S = 0.3
_SHORTEST_PAUSE_S = 0.5
"""Within a turn; a longer one ends it. Both are sherpa-onnx's own defaults."""


def serve(channel: Channel) -> None:
    """Hear the recording that comes, and tell who spoke when."""
    first = channel.receive()
    if first is None or not isinstance(first[0], Load):
        return
    try:
        listener = _Listener(first[0], lambda done_s: channel.send(Heard(done_s)))
    except (RuntimeError, ValueError, OSError) as error:
        channel.send(Failed(str(error) or type(error).__name__))
        return
    channel.send(Loaded(listener.version))
    while (frame := channel.receive()) is not None:
        message, body = frame
        if isinstance(message, Sound):
            listener.take(np.frombuffer(body, np.float32))
            channel.send(Taken())
        elif isinstance(message, Finish):
            channel.send(Told(listener.turns()))


class _Listener:
    """sherpa-onnx with its models, and the sound that was not heard yet.

    Args:
        load: The models and what is asked for.
        on_heard: Told how many seconds are done.
    """

    def __init__(self, load: Load, on_heard: Callable[[float], None]) -> None:
        import sherpa_onnx  # noqa: PLC0415 (the child's alone)

        self._sherpa: Any = sherpa_onnx
        self.version: str = str(sherpa_onnx.version)
        self._load = load
        self._on_heard = on_heard
        self._held = np.empty(round(load.piece_s * SAMPLE_RATE), np.float32)
        self._filled = 0
        self._start_s = 0.0
        self._pieces: list[Piece] = []
        self._embedding = sherpa_onnx.SpeakerEmbeddingExtractorConfig(model=load.embedding, num_threads=load.threads)
        if not self._embedding.validate():
            raise ValueError(f"{load.embedding} is no model for voices")
        self._extractor = sherpa_onnx.SpeakerEmbeddingExtractor(self._embedding)

    def take(self, samples: Samples) -> None:
        """Hold more sound; what is a whole piece is heard."""
        while samples.size:
            if self._filled == len(self._held):
                self._pieces.append(self._heard(speakers=None))
            fits = samples[: len(self._held) - self._filled]
            self._held[self._filled : self._filled + fits.size] = fits
            self._filled += fits.size
            samples = samples[fits.size :]

    def turns(self) -> tuple[Turn, ...]:
        """Who spoke when, in all that came."""
        if not self._pieces:
            # How many people speak in all says nothing of a piece, but much of a recording that is in one.
            return numbered(self._heard(speakers=self._load.speakers).turns) if self._filled else ()
        if self._filled:
            self._pieces.append(self._heard(speakers=None))
        return linked(self._pieces, self._sherpa.FastClustering(self._clustering(self._load.speakers)))

    def _heard(self, *, speakers: int | None) -> Piece:
        sound = self._held[: self._filled]
        length_s = len(sound) / SAMPLE_RATE

        def progressed(done: int, total: int) -> int:
            self._on_heard(self._start_s + length_s * done / total)
            return 0

        found = self._diarizer(speakers).process(sound, progressed).sort_by_start_time()
        turns = [Turn(one.start, one.end, one.speaker) for one in found]
        piece = piece_of(sound, self._start_s, turns, self._voice)
        self._start_s += length_s
        self._filled = 0
        self._on_heard(self._start_s)
        return piece

    def _diarizer(self, speakers: int | None) -> Any:
        sherpa = self._sherpa
        config = sherpa.OfflineSpeakerDiarizationConfig(
            segmentation=sherpa.OfflineSpeakerSegmentationModelConfig(
                pyannote=sherpa.OfflineSpeakerSegmentationPyannoteModelConfig(model=self._load.segmentation),
                num_threads=self._load.threads,
            ),
            embedding=self._embedding,
            clustering=self._clustering(speakers),
            min_duration_on=_SHORTEST_TURN_S,
            min_duration_off=_SHORTEST_PAUSE_S,
        )
        return sherpa.OfflineSpeakerDiarization(config)

    def _clustering(self, speakers: int | None) -> Any:
        number = -1 if speakers is None else speakers
        return self._sherpa.FastClusteringConfig(num_clusters=number, threshold=self._load.threshold)

    def _voice(self, samples: Samples) -> Voice | None:
        stream = self._extractor.create_stream()
        stream.accept_waveform(SAMPLE_RATE, samples)
        stream.input_finished()
        if not self._extractor.is_ready(stream):
            return None
        return np.asarray(self._extractor.compute(stream), np.float32)
