"""What was read of a short recording is said again; whoever wants something else gets it from a child."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.media_files import ENCODINGS, encode
from tests.waiting import until
from whispercore.audio.decoder import Decoder
from whispercore.audio.messages import Channels
from whispercore.audio.readers import Reader, Readers
from whispercore.audio.replay import Recording, Replay
from whispercore.audio.vad import Vad
from whispercore.engines.engine import Window

FOUND = Vad(detector="energy")


class Counted(Readers):
    """Say how many were taken."""

    taken = 0

    def take(self, *, sealed: bool = False) -> Reader:
        self.taken += 1
        return super().take(sealed=sealed)


@pytest.fixture
def readers() -> Iterator[Counted]:
    readers = Counted()
    yield readers
    readers.close()


def windows(
    path: Path,
    readers: Readers | None,
    recording: Recording | None = None,
    *,
    window_s: float = 30.0,
    channels: Channels = "mix",
    vad: Vad | None = FOUND,
    leaves_out: bool = True,
) -> tuple[float, list[Window]]:
    """How long it is, and its windows."""
    with Decoder(path, readers=readers, recording=recording, channels=channels, vad=vad) as decoder:
        found = list(decoder.windows(window_s, leaves_out=leaves_out))
        assert decoder.damage is None
        return decoder.read_s, found


@pytest.fixture
def recording(audio: Path, readers: Counted) -> Recording:
    recording = Recording()
    windows(audio / "call-stereo.wav", readers, recording)
    assert recording.is_whole
    readers.taken = 0
    return recording


def test_nobody_reads_it_again(audio: Path, readers: Counted, recording: Recording, tmp_path: Path) -> None:
    alone = windows(audio / "call-stereo.wav", None)
    gone = tmp_path / "gone.wav"
    for _ in range(2):
        assert windows(gone, Replay(recording, readers)) == alone
    assert recording.size_bytes == sum(len(one.samples) for one in alone[1])
    assert readers.taken == 0


@pytest.mark.parametrize(
    "otherwise", [{"vad": None}, {"vad": Vad(pad_s=0.1)}, {"channels": "separate"}, {"window_s": 5.0}], ids=str
)
def test_what_is_read_otherwise_is_read_again(
    audio: Path, readers: Counted, recording: Recording, otherwise: dict[str, object]
) -> None:
    alone = windows(audio / "call-stereo.wav", None, **otherwise)  # type: ignore[arg-type]
    for _ in range(2):  # the child is given back, and reads the next one
        assert windows(audio / "call-stereo.wav", Replay(recording, readers), **otherwise) == alone  # type: ignore[arg-type]
    assert readers.taken == 2


def test_one_window_is_the_same_whatever_length_others_may_have(audio: Path, readers: Counted) -> None:
    recording = Recording()
    short = audio / "clip01-en.wav"
    windows(short, readers, recording)
    readers.taken = 0
    alone = windows(short, None, window_s=10.0)
    assert len(alone[1]) == 1
    assert windows(short, Replay(recording, readers), window_s=10.0) == alone
    assert readers.taken == 0
    assert len(windows(short, Replay(recording, readers), window_s=1.5)[1]) > 1


async def test_whoever_goes_away_ends_the_child(audio: Path, readers: Counted, recording: Recording) -> None:
    with Decoder(audio / "talk.wav", readers=Replay(recording, readers), vad=FOUND) as decoder:
        next(decoder.windows(5.0))
        reader = decoder._reader
        assert reader is not None
        child = reader.child_of_it  # type: ignore[attr-defined]
    await until(lambda: not child.fresh)


def test_what_is_too_long_or_not_meant_to_be_is_not_recorded(audio: Path, readers: Counted) -> None:
    for path, leaves_out in ((audio / "talk.wav", True), (audio / "clip01-en.wav", False)):
        recording = Recording()
        windows(path, readers, recording, leaves_out=leaves_out)
        assert not recording.is_whole


def test_what_is_damaged_is_not_recorded(audio: Path, tmp_path: Path) -> None:
    how = next(item for item in ENCODINGS if item.suffix == "mp3")
    path = encode(audio / "clip02-en.wav", tmp_path / "bad.mp3", how)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    path.write_bytes(data)
    recording = Recording()
    with Decoder(path, recording=recording, vad=FOUND) as decoder:
        assert list(decoder.windows(30.0))
        assert decoder.damage is not None
    assert not recording.is_whole
