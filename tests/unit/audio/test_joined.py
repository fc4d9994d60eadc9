"""Several files read as one."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whispercore.audio.decoder import Decoder
from whispercore.audio.joined import Joined, PartFiles, opened

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(0, 40)),
        st.tuples(st.just("seek"), st.integers(0, 60)),
        st.tuples(st.just("end"), st.integers(-30, 0)),
    ),
    max_size=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5), ACTIONS)
def test_it_reads_like_one_file(tmp_path: Path, parts: list[bytes], actions: list[tuple[str, int]]) -> None:
    paths = [tmp_path / str(number) for number in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        path.write_bytes(part)
    whole = io.BytesIO(b"".join(parts))
    with opened(paths) as file:
        for action, number in actions:
            if action == "read":
                assert file.read(number) == whole.read(number)
            elif action == "seek":
                assert file.seek(number) == whole.seek(number)
            else:
                end = max(number, -len(whole.getvalue()))
                assert file.seek(end, os.SEEK_END) == whole.seek(end, os.SEEK_END)
            assert file.tell() == whole.tell()


def test_only_one_file_is_open(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(5)]
    for path in paths:
        path.write_bytes(b"12345")
    with Joined(paths) as file:
        while file.read(3):
            assert len(held_open(tmp_path)) == 1
    assert held_open(tmp_path) == []


def held_open(folder: Path) -> list[Path]:
    """The files of a folder that this process has open."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # another thread closed it since it was listed
            found.append(descriptor.readlink())
    return [path for path in found if path.is_relative_to(folder)]


def test_a_recording_in_parts_is_decoded_like_a_whole_one(audio: Path, tmp_path: Path) -> None:
    whole = audio / "clip01-en.wav"
    data = whole.read_bytes()
    paths = tuple(tmp_path / str(number) for number in range(4))
    for number, path in enumerate(paths):
        path.write_bytes(data[number * 25_000 : (number + 1) * 25_000])
    with Decoder(whole) as one, Decoder(PartFiles(paths), name="in parts") as other:
        assert list(one.windows(30.0)) == list(other.windows(30.0))
        assert (one.read_s, one.damage) == (other.read_s, other.damage)
