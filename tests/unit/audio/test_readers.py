"""One child for several recordings of one caller, and when it must not be."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.speech import samples, write_wav
from whispercore.audio import readers as module
from whispercore.audio.decoder import Decoder
from whispercore.audio.messages import Open, Read
from whispercore.audio.readers import Reader, Readers
from whispercore.errors import Cancelled, NotMedia


@pytest.fixture
def readers() -> Iterator[Readers]:
    readers = Readers()
    yield readers
    readers.close()


@pytest.fixture
def sound(audio: Path) -> Path:
    return audio / "clip01-en.wav"


def read(path: Path, readers: Readers | None) -> tuple[int, list[bytes]]:
    """Which child read it, and what."""
    with Decoder(path, readers=readers) as decoder:
        assert decoder._reader
        pid = decoder._reader.child.pid
        return pid, [window.samples for window in decoder.windows(5.0)]


def gone(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        process.wait(60)
    except psutil.NoSuchProcess:
        return True
    return not process.is_running()


def test_a_child_reads_one_recording_after_the_other(readers: Readers, audio: Path, sound: Path) -> None:
    alone = read(sound, None)[1]
    first, _ = read(audio / "clip02-en.wav", readers)
    second, again = read(sound, readers)
    assert first == second
    assert again == alone
    child = psutil.Process(first)
    if hasattr(child, "rlimit"):
        assert child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0), "it is still locked in"
    readers.close()
    assert gone(first)


def test_recordings_at_the_same_time_have_a_child_each(readers: Readers, sound: Path) -> None:
    with Decoder(sound, readers=readers) as one, Decoder(sound, readers=readers) as other:
        assert one._reader
        assert other._reader
        assert one._reader is not other._reader
        assert [item.samples for item in one.windows(30.0)] == [item.samples for item in other.windows(30.0)]


def test_the_second_waits_a_moment_for_the_first_to_come_back(readers: Readers, sound: Path) -> None:
    with Decoder(sound, readers=readers) as one:
        first = one._reader
        done = threading.Timer(0.05, lambda: list(one.windows(30.0)))
        done.start()
        with Decoder(sound, readers=readers) as second:
            assert second._reader is first
            with Decoder(sound, readers=readers) as third:
                assert third._reader is not first, "but not for ever"
        done.join()


def test_without_readers_a_child_ends_with_its_recording(sound: Path) -> None:
    first, _ = read(sound, None)
    assert gone(first)


def test_a_child_that_met_something_bad_is_not_used_again(readers: Readers, sound: Path, tmp_path: Path) -> None:
    first, _ = read(sound, readers)
    (tmp_path / "talk.mp3").write_bytes(b"no media at all" * 100)
    with pytest.raises(NotMedia):
        Decoder(tmp_path / "talk.mp3", readers=readers)
    assert gone(first)
    second, _ = read(sound, readers)
    cut = tmp_path / "cut.wav"
    cut.write_bytes(sound.read_bytes()[:40_000])
    assert read(cut, readers)[0] == second
    assert gone(second)
    third, _ = read(sound, readers)
    with Decoder(sound, readers=readers) as decoder:
        assert decoder._reader
        assert decoder._reader.child.pid == third
    assert gone(third), "left in the middle"


def test_a_child_that_died_while_it_waited_is_replaced(readers: Readers, sound: Path) -> None:
    first, heard = read(sound, readers)
    os.kill(first, signal.SIGKILL)
    assert gone(first)
    second, again = read(sound, readers)
    assert second != first
    assert again == heard


def test_a_child_that_dies_as_it_is_given_a_recording_is_replaced(
    readers: Readers, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, heard = read(sound, readers)
    send, victims = Reader.send, [first]

    def deadly(reader: Reader, request: Open | Read) -> None:
        if victims:
            os.kill(victims.pop(), signal.SIGKILL)
        send(reader, request)

    monkeypatch.setattr(Reader, "send", deadly)
    with Decoder(sound, readers=readers) as decoder:
        assert [window.samples for window in decoder.windows(5.0)] == heard
    assert not victims


def test_killed_in_the_middle_of_its_second_recording(readers: Readers, tmp_path: Path, sound: Path) -> None:
    path = write_wav(tmp_path / "minute.wav", samples("talk.wav")[: 16_000 * 40])
    undisturbed = read(path, None)[1]
    read(sound, readers)
    heard = []
    with Decoder(path, readers=readers) as decoder:
        for window in decoder.windows(5.0):
            heard.append(window.samples)
            if window.index in (1, 3, 5):
                assert decoder._reader
                os.kill(decoder._reader.child.pid, signal.SIGKILL)
    assert np.array_equal(
        np.concatenate([np.frombuffer(item, np.float32) for item in heard]),
        np.concatenate([np.frombuffer(item, np.float32) for item in undisturbed]),
    )


def test_a_child_does_not_wait_for_ever(sound: Path) -> None:
    pid, _ = read(sound, Readers(keep_alive_s=0.01))
    assert gone(pid)


def test_only_a_few_wait(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_IDLE", 1)
    one, other = Reader(), Reader()
    readers.give_back(one)
    readers.give_back(other)
    assert gone(other.child.pid)
    assert readers.take() is one
    one.end()


def test_a_child_is_replaced_after_many_recordings(
    readers: Readers, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_RECORDINGS", 2)
    first, second, third = (read(sound, readers)[0] for _ in range(3))
    assert first == second != third
    assert gone(first)


def test_closing_from_another_thread_while_it_is_handed_over(readers: Readers, sound: Path) -> None:
    decoder = Decoder(sound, readers=readers)
    list(decoder.windows(5.0))
    (reader,) = readers._idle
    decoder.close()
    assert reader.fresh, "it is not this decoder's any more"
    with pytest.raises(Cancelled):
        next(decoder.windows(5.0))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_begins_anew() -> None:
    before = module.default_readers()
    pid = os.fork()
    if not pid:
        os._exit(0 if module._default is None else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert module.default_readers() is before
