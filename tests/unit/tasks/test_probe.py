"""What is refused before there is a job."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.media_files import ENCODINGS, encode
from tests.processes import descendants
from tests.speech import write_wav
from tests.waiting import until
from whispercore.errors import Cancelled, DamagedMedia, MediaError, NoSound, NotMedia, TruncatedMedia
from whispercore.tasks.probe import Probe
from whispercore.tasks.readers_by_owner import ReadersByOwner


@pytest.fixture
def probe() -> Iterator[Probe]:
    probe = Probe()
    yield probe
    probe.close()


async def test_a_recording_is_described(probe: Probe, audio: Path) -> None:
    sound = await probe.look(audio / "call-stereo.wav", name="call.wav", owner_id="eve", channels="separate")
    assert (sound.channels, sound.sample_rate) == (2, 16_000)
    assert sound.declared_s is not None
    assert sound.declared_s > 10


@pytest.mark.parametrize("suffix", ["mp3", "m4a", "opus", "flac", "webm", "mp4"])
async def test_other_formats(probe: Probe, audio: Path, tmp_path: Path, suffix: str) -> None:
    how = next(item for item in ENCODINGS if item.suffix == suffix)
    path = encode(audio / "clip01-en.wav", tmp_path / f"clip.{suffix}", how)
    assert (await probe.look(path, name=path.name, owner_id="eve")).channels >= 1


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 4096, b"%PDF-1.7 and more", b"#EXTM3U\n/etc/passwd\n", b"hello " * 100, os.urandom(5000)]
)
async def test_what_is_no_media(probe: Probe, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "0197"
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"^talk\.mp3") as raised:
        await probe.look(path, name="talk.mp3", owner_id="eve")
    assert isinstance(raised.value, NotMedia)


async def test_no_sound(probe: Probe, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "none.wav", np.zeros(0, np.float32))
    with pytest.raises(NoSound, match="empty"):
        await probe.look(path, name="none.wav", owner_id="eve")


@pytest.mark.parametrize("suffix", ["wav", "m4a", "opus"])
async def test_an_end_that_is_missing_is_seen_at_once(probe: Probe, audio: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut.{suffix}"
    if suffix == "wav":
        whole = (audio / "clip01-en.wav").read_bytes()
    else:
        how = next(item for item in ENCODINGS if item.suffix == suffix)
        whole = encode(audio / "clip01-en.wav", path, how).read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(TruncatedMedia, match=r"^cut\.\w+ is cut off: it"):
        await probe.look(path, name=path.name, owner_id="eve")
    if suffix != "m4a":  # its index is at its end: without that, nothing can be read
        assert (await probe.look(path, name=path.name, owner_id="eve", keep_damaged=True)).channels >= 1


async def test_a_beginning_that_is_damaged(probe: Probe, audio: Path, tmp_path: Path) -> None:
    how = next(item for item in ENCODINGS if item.suffix == "flac")
    path = encode(audio / "clip01-en.wav", tmp_path / "bad.flac", how)
    data = bytearray(path.read_bytes())
    data[60:] = np.random.default_rng(2).bytes(len(data) - 60)
    path.write_bytes(data)
    with pytest.raises(DamagedMedia, match=r"^bad\.flac is damaged: nothing of its flac"):
        await probe.look(path, name=path.name, owner_id="eve")


@pytest.mark.parametrize("keep_damaged", [True, False])
async def test_damage_in_the_middle_of_a_short_recording(
    probe: Probe, audio: Path, tmp_path: Path, keep_damaged: bool
) -> None:
    how = next(item for item in ENCODINGS if item.suffix == "mp3")
    path = encode(audio / "clip02-en.wav", tmp_path / "bad.mp3", how)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = np.random.default_rng(3).bytes(2000)
    path.write_bytes(data)
    if keep_damaged:
        assert (await probe.look(path, name="bad.mp3", owner_id="eve", keep_damaged=True)).channels == 2
    else:
        with pytest.raises(DamagedMedia, match=r"^bad\.mp3 is damaged: at "):
            await probe.look(path, name="bad.mp3", owner_id="eve")


async def test_recordings_of_one_owner_share_a_decoder(audio: Path) -> None:
    readers = ReadersByOwner()
    probe = Probe(readers=readers)
    assert probe.readers is readers

    def decoders() -> set[int]:
        return {child.pid for child in descendants("audio.child")}

    before = decoders()
    await probe.look(audio / "clip01-en.wav", name="1.wav", owner_id="eve")
    (first,) = decoders() - before
    await probe.look(audio / "clip02-en.wav", name="2.wav", owner_id="eve")
    assert decoders() - before == {first}
    await probe.look(audio / "clip03-en.wav", name="3.wav", owner_id="mallory")
    assert len(decoders() - before) == 2
    await probe.look(audio / "clip03-en.wav", name="3.wav")
    await until(lambda: len(decoders() - before) == 2)  # nobody's decoder waits for nobody: it is ended at once
    probe.close()
    readers.close()


def test_few_owners_have_children_that_wait() -> None:
    readers = ReadersByOwner()
    eve = readers.of("eve")
    for number in range(3):
        readers.of(f"user {number}")
    assert readers.of("eve") is eve
    for number in range(3, 7):
        readers.of(f"user {number}")
    assert readers.of("eve") is not eve
    readers.close()


async def test_a_file_that_is_gone(probe: Probe, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await probe.look(tmp_path / "gone.wav", name="gone.wav", owner_id="eve")


async def test_it_takes_no_longer_than_it_may(audio: Path) -> None:
    hasty = Probe(limit_s=0.0)
    with pytest.raises(DamagedMedia, match="not be read within 0 s"):
        await hasty.look(audio / "clip01-en.wav", name="clip.wav", owner_id="eve")
    hasty.close()


async def test_many_at_once(probe: Probe, audio: Path) -> None:
    clips = [audio / f"clip{number:02}-en.wav" for number in range(1, 7)]
    sounds = await asyncio.gather(*(probe.look(path, name=path.name, owner_id="eve") for path in clips))
    assert all(sound.channels == 1 for sound in sounds)


async def test_whoever_goes_away_ends_it(probe: Probe, audio: Path) -> None:
    looking = asyncio.create_task(probe.look(audio / "talk.wav", name="talk.wav", owner_id="eve"))
    await asyncio.sleep(0)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    assert (await probe.look(audio / "clip01-en.wav", name="clip.wav", owner_id="eve")).channels == 1


async def test_closing_ends_those_that_look(audio: Path) -> None:
    probe = Probe(at_once=1)
    looking = [asyncio.create_task(probe.look(audio / "talk.wav", name="talk.wav", owner_id="eve")) for _ in range(3)]
    await asyncio.sleep(0)
    probe.close()
    done = await asyncio.gather(*looking, return_exceptions=True)
    assert [type(item) for item in done] == [Cancelled] * 3


async def test_a_decoder_that_has_seen_nothing_waits_for_the_next_recording(audio: Path, tmp_path: Path) -> None:
    probe = Probe(ready=True)
    before = {child.pid for child in descendants("audio.child")}

    def waiting() -> set[int]:
        return {child.pid for child in descendants("audio.child")} - before

    probe.get_ready()
    await until(lambda: len(waiting()) == 1)
    (first,) = waiting()
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"nothing")
    with pytest.raises(NotMedia):
        await probe.look(bad, name="bad.wav", owner_id="mallory")
    await until(lambda: len(waiting()) == 1 and waiting() != {first})  # it was used, and another one is there
    await probe.look(audio / "clip01-en.wav", name="clip.wav", owner_id="eve")
    await until(lambda: len(waiting()) == 2)  # hers, and the next one
    probe.close()
    await until(lambda: not waiting())
    with pytest.raises(RuntimeError):
        await probe.look(audio / "clip01-en.wav", name="clip.wav", owner_id="eve")
    assert not waiting()
