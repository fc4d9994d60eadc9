"""Several files read as one."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whispercore.audio.decoder import Decoder
from whispercore.audio.joined import Joined, PartFiles, Seal, opened
from whispercore.encryption import age
from whispercore.files.sealed import Encoding, sealed

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


PARTS = {"clear": b"0123456789" * 7000, "age": os.urandom(3 * (1 << 16) + 5), "zstd+age": bytes(200_000)}
STEP = 1 << 13
"""Of an action, so that pieces of 64 KiB are read in part, whole and across."""


@pytest.fixture(scope="module")
def sealed_parts(tmp_path_factory: pytest.TempPathFactory) -> PartFiles:
    """Parts of every kind, one of them empty."""
    secret, folder = age.new_identity(), tmp_path_factory.mktemp("sealed")
    paths = [folder / str(number) for number in range(4)]
    paths[0].write_bytes(sealed(PARTS["age"], age.recipient_of(secret)).data)
    paths[1].write_bytes(sealed(PARTS["zstd+age"], age.recipient_of(secret)).data)
    paths[2].write_bytes(sealed(b"", age.recipient_of(secret)).data)
    paths[3].write_bytes(PARTS["clear"])
    sizes = (len(PARTS["age"]), len(PARTS["zstd+age"]), 0, len(PARTS["clear"]))
    return PartFiles(tuple(paths), Seal(identity=secret, encodings=("age", "zstd+age", "age", "clear"), sizes=sizes))


@settings(max_examples=50)
@given(ACTIONS)
def test_sealed_parts_read_like_one_file(sealed_parts: PartFiles, actions: list[tuple[str, int]]) -> None:
    whole = io.BytesIO(PARTS["age"] + PARTS["zstd+age"] + PARTS["clear"])
    with opened(sealed_parts.paths, sealed_parts.seal) as file:
        for action, number in actions:
            if action == "read":
                assert file.read(number * STEP) == whole.read(number * STEP)
            elif action == "seek":
                assert file.seek(number * STEP) == whole.seek(number * STEP)
            else:
                assert file.seek(number * STEP, os.SEEK_END) == whole.seek(number * STEP, os.SEEK_END)


@pytest.mark.parametrize("at", [50, 300, (1 << 16) + 500, -1])
def test_a_sealed_part_that_has_changed_is_not_read(tmp_path: Path, at: int) -> None:
    secret, data = age.new_identity(), os.urandom(100_000)
    stored = bytearray(sealed(data, age.recipient_of(secret)).data)
    stored[at] ^= 1
    path = tmp_path / "changed"
    path.write_bytes(stored)
    seal = Seal(identity=secret, encodings=("age",), sizes=(len(data),))
    with opened([path], seal) as file, pytest.raises(OSError, match=r"^part 0: "):
        file.read()


def test_a_sealed_part_is_opened_piece_by_piece(tmp_path: Path) -> None:
    """Its second piece is damaged, and the first is read all the same: no more is opened than is asked for."""
    secret, data = age.new_identity(), os.urandom(100_000)
    stored = bytearray(sealed(data, age.recipient_of(secret)).data)
    stored[(1 << 16) + 500] ^= 1
    path = tmp_path / "damaged"
    path.write_bytes(stored)
    with opened([path], Seal(identity=secret, encodings=("age",), sizes=(len(data),))) as file:
        assert file.read(1000) == data[:1000]
        with pytest.raises(OSError, match=r"^part 0: "):
            file.read()


@pytest.mark.parametrize("encoding", ["age", "zstd+age"])
def test_a_sealed_part_of_another_size_is_not_read(tmp_path: Path, encoding: Encoding) -> None:
    secret = age.new_identity()
    path = tmp_path / "short"
    path.write_bytes(sealed(PARTS[encoding], age.recipient_of(secret)).data)
    seal = Seal(identity=secret, encodings=(encoding,), sizes=(len(PARTS[encoding]) + 1,))
    with opened([path], seal) as file, pytest.raises(OSError, match="bytes instead of"):
        file.read()


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
