"""Recordings of all kinds, whole and broken."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import signal
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.media_files import ENCODINGS, Encoding, encode
from tests.processes import descendants
from tests.speech import samples, write_wav
from whispercore.audio.decoder import Decoder
from whispercore.engines.engine import Control
from whispercore.errors import Cancelled, DamagedMedia, MediaError, NoSound, NotMedia, TruncatedMedia


def read(path: Path, window_s: float = 30.0) -> tuple[np.ndarray[tuple[int], np.dtype[np.float32]], Decoder]:
    with Decoder(path) as decoder:
        windows = list(decoder.windows(window_s))
    return np.concatenate([np.frombuffer(item.samples, np.float32) for item in windows]), decoder


@pytest.fixture(scope="session")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty seconds of the talk."""
    return write_wav(tmp_path_factory.mktemp("media") / "minute.wav", samples("talk.wav")[: 16_000 * 40])


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: f"{encoding.suffix}-{encoding.codec}")
def test_every_format_gives_the_same_sound(encoding: Encoding, minute: Path, tmp_path: Path) -> None:
    original = samples("talk.wav")[: 16_000 * 40]
    sound, decoder = read(encode(minute, tmp_path / f"sound.{encoding.suffix}", encoding))
    assert decoder.damage is None
    assert abs(sound.size / 16_000 - 40) < 0.15
    assert decoder.sound.channels == (2 if encoding.layout == "stereo" else 1)
    size = min(sound.size, original.size)
    # The loudness over time is that of the original, so nothing is shifted, stretched or mixed up.
    ours, theirs = (np.abs(item[: size // 800 * 800]).reshape(-1, 800).mean(1) for item in (sound, original))
    # (A bare AAC stream does not say that its first 46 ms are the encoder's.)
    assert np.corrcoef(ours, theirs)[0, 1] > (0.88 if encoding.container == "adts" else 0.97)


def test_channels_kept_apart(audio: Path) -> None:
    with Decoder(audio / "call-stereo.wav", channels="separate") as decoder:
        windows = list(decoder.windows(10.0))
    assert {window.channel for window in windows} == {0, 1}
    both = samples("call-stereo.wav").reshape(-1, 2)
    for channel in (0, 1):
        mine = [window for window in windows if window.channel == channel]
        assert [window.index for window in mine] == list(range(len(mine)))
        sound = np.concatenate([np.frombuffer(window.samples, np.float32) for window in mine])
        assert np.allclose(sound, both[:, channel], atol=1e-4)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "empty"),
        (b"#EXTM3U\nhttp://127.0.0.1:9/x.ts\n", "playlist"),
        (b"#!/bin/sh\nrm -rf /\n", "script"),
        (b"Dear Sir or Madam", "text"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\3\4" + bytes(100), "ZIP"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
        (bytes(5000), "zeros"),
        (bytes(range(7, 250)) * 40, "unknown"),
    ],
)
def test_what_is_no_media_is_named(content: bytes, found: str, tmp_path: Path) -> None:
    path = tmp_path / "talk.mp3"
    path.write_bytes(content)
    with pytest.raises(NotMedia, match=found) as raised:
        read(path)
    assert raised.value.name == "talk.mp3"


def test_a_picture_without_sound(tmp_path: Path) -> None:
    import av

    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as file:
        picture = file.add_stream("libx264", rate=5)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
            frame.pts = number
            file.mux(picture.encode(frame))
        file.mux(picture.encode(None))
    with pytest.raises(NoSound, match="video"):
        read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.wav"):
        read(tmp_path / "nowhere.wav")
    with pytest.raises(OSError, match="irectory"):
        read(tmp_path)


@pytest.mark.parametrize("encoding", ENCODINGS[:9], ids=lambda encoding: f"{encoding.suffix}-{encoding.codec}")
def test_a_file_that_is_cut_off(encoding: Encoding, minute: Path, tmp_path: Path) -> None:
    whole = encode(minute, tmp_path / f"whole.{encoding.suffix}", encoding).read_bytes()
    path = tmp_path / f"cut.{encoding.suffix}"
    path.write_bytes(whole[: len(whole) * 6 // 10])
    try:
        sound, decoder = read(path)
    except TruncatedMedia as error:  # an index at the end is gone with the end
        assert encoding.suffix in {"m4a", "mp4", "mov"}
        assert "moov" in str(error) or "announces" in str(error)
        return
    assert decoder.damage is not None
    assert decoder.damage.kind == "truncated_media", decoder.damage
    assert 20 < sound.size / 16_000 < 28
    assert abs(decoder.damage.read_s - sound.size / 16_000) < 0.01


def test_a_wav_that_is_cut_off(minute: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes(minute.read_bytes()[: 32_000 * 20])
    sound, decoder = read(path)
    assert isinstance(decoder.incomplete(), TruncatedMedia)
    assert abs(sound.size / 16_000 - 20) < 0.1
    path.write_bytes(minute.read_bytes()[:30])
    with pytest.raises(TruncatedMedia):
        read(path)


def test_a_wav_of_unknown_length_is_whole(minute: Path, tmp_path: Path) -> None:
    """As programs write it that stream to a pipe."""
    data = bytearray(minute.read_bytes())
    data[4:8] = data[40:44] = struct.pack("<I", 0xFFFFFFFF)
    path = tmp_path / "piped.wav"
    path.write_bytes(data)
    sound, decoder = read(path)
    assert decoder.damage is None
    assert abs(sound.size / 16_000 - 40) < 0.01


@pytest.mark.parametrize("suffix", ["flac", "ogg", "m4a", "mp3", "webm"])
def test_damage_in_the_middle_is_told_and_the_rest_is_read(suffix: str, minute: Path, tmp_path: Path) -> None:
    encoding = next(item for item in ENCODINGS if item.suffix == suffix)
    data = bytearray(encode(minute, tmp_path / f"whole.{suffix}", encoding).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = np.random.default_rng(3).bytes(3000)
    path = tmp_path / f"damaged.{suffix}"
    path.write_bytes(data)
    sound, decoder = read(path)
    assert isinstance(decoder.incomplete(), DamagedMedia), decoder.damage
    assert decoder.damage is not None
    assert decoder.damage.found
    assert sound.size / 16_000 > 30


@pytest.mark.parametrize("seed", range(6))
def test_random_damage_never_hangs_or_kills(seed: int, minute: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(seed)
    encoding = ENCODINGS[seed % len(ENCODINGS)]
    data = bytearray(encode(minute, tmp_path / f"whole.{encoding.suffix}", encoding).read_bytes())
    for at in random.integers(0, len(data), 200):
        data[at] = random.integers(0, 256)
    path = tmp_path / f"random.{encoding.suffix}"
    path.write_bytes(data)
    try:
        sound, _ = read(path)
    except (MediaError, OSError):
        return
    assert np.isfinite(sound).all()


def test_holes_are_filled_with_silence(minute: Path, tmp_path: Path) -> None:
    """A packet that was lost must not move what comes after it."""
    import av

    path, original = tmp_path / "hole.mkv", samples("talk.wav")[: 16_000 * 40]
    with av.open(str(minute)) as incoming, av.open(str(path), "w") as outgoing:
        track = outgoing.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for frame in incoming.decode(audio=0):
            if not 10 <= (frame.time or 0.0) < 15:
                outgoing.mux(track.encode(frame))
        outgoing.mux(track.encode(None))
    sound, _ = read(path)
    assert abs(sound.size / 16_000 - 40) < 0.3
    after = slice(16_000 * 20, 16_000 * 30)
    assert np.corrcoef(np.abs(sound[after]), np.abs(original[after]))[0, 1] > 0.95


# ------------------------------------------------------------ the child


def test_playlists_reach_neither_files_nor_the_network(tmp_path: Path, minute: Path) -> None:
    secret = write_wav(tmp_path / "secret.wav", samples("clip01-en.wav"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x.ts"
        watch = _Opened(secret)
        for name, content in {
            "talk.mp3": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXTINF:9,\n{secret}\n",
            "talk.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{secret}\n",
            "talk.wav": f"ffconcat version 1.0\nfile '{secret}'\n",
            "talk.mpd": f"<?xml version='1.0'?><MPD><Period><BaseURL>{address}</BaseURL></Period></MPD>",
            "talk.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
            "talk.sh": f"#!/bin/sh\ncat {secret}\n",
        }.items():
            path = tmp_path / name
            path.write_text(content)
            with pytest.raises(NotMedia):
                read(path)
        assert not watch.seen()
        with pytest.raises(TimeoutError):
            server.accept()
    assert read(secret)[0].size
    assert watch.seen() or sys.platform != "linux", "the watch would have seen it"


class _Opened:
    """Sees every opening of a file, by inotify."""

    def __init__(self, path: Path) -> None:
        self._fd = -1
        if sys.platform == "linux":
            c = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
            self._fd = c.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            assert c.inotify_add_watch(self._fd, os.fsencode(path), 0x20) >= 0  # IN_OPEN

    def seen(self) -> bool:
        if self._fd < 0:
            return False
        try:
            return bool(os.read(self._fd, 4096))
        except BlockingIOError:
            return False

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


@pytest.mark.skipif(sys.platform != "linux", reason="limits are read from /proc")
def test_the_child_can_open_nothing_but_the_file(minute: Path) -> None:
    with Decoder(minute) as decoder:
        assert decoder._reader
        child = psutil.Process(decoder._reader.child.pid)
        limit, _ = child.rlimit(psutil.RLIMIT_NOFILE)
        assert max(int(name) for name in os.listdir(f"/proc/{child.pid}/fd")) + 1 == limit
        assert child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
        assert child.rlimit(psutil.RLIMIT_AS)[0] <= 4 << 30


def test_a_killed_child_is_replaced_and_nothing_is_missing_or_twice(minute: Path) -> None:
    undisturbed, _ = read(minute, 5.0)
    with Decoder(minute) as decoder:
        got = []
        for window in decoder.windows(5.0):
            got.append(window)
            if window.index in (1, 3, 5):
                assert decoder._reader
                os.kill(decoder._reader.child.pid, signal.SIGKILL)
    sound = np.concatenate([np.frombuffer(window.samples, np.float32) for window in got])
    assert [window.index for window in got] == list(range(len(got)))
    assert np.array_equal(undisturbed, sound)


def test_a_file_that_always_kills_its_child(minute: Path) -> None:
    with Decoder(minute) as decoder, pytest.raises(DamagedMedia, match="signal 11"):
        for _ in decoder.windows(2.0):
            assert decoder._reader
            os.kill(decoder._reader.child.pid, signal.SIGSEGV)


def test_a_decoder_that_cannot_work_says_why(minute: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'Traceback:' >&2\necho 'ImportError: no av' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setenv("WHISPERCORE_PYTHON", str(python))
    with pytest.raises(DamagedMedia, match=r"3 times \(exit code 1; it wrote: ImportError: no av\)"):
        Decoder(minute)


def test_leaving_early_ends_the_child(minute: Path) -> None:
    before = {process.pid for process in descendants()}
    with Decoder(minute) as decoder:
        next(iter(decoder.windows(5.0)))
    while any(process.pid not in before for process in descendants()):
        time.sleep(0.02)


def test_a_reader_who_waits_holds_the_child_back(minute: Path, tmp_path: Path) -> None:
    """Ten minutes of sound are 38 MB; only a few windows of them may be in memory."""
    path = write_wav(tmp_path / "long.wav", np.tile(samples("talk.wav"), 2))
    with Decoder(path) as decoder:
        windows = decoder.windows(5.0)
        next(windows)
        assert decoder._reader
        child = psutil.Process(decoder._reader.child.pid)
        threading.Event().wait(0.5)
        assert decoder._reader.messages.qsize() <= 2
        assert child.memory_info().rss < 150e6
        assert sum(1 for _ in windows) > 100


def test_a_cancellation_that_came_before(minute: Path) -> None:
    control = Control()
    control.cancel()
    with pytest.raises(Cancelled):
        Decoder(minute, control=control)
