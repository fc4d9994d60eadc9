import contextlib
import hashlib
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whispercore.errors import ModelDamaged
from whispercore.models.catalogue import CATALOGUE, MICRO_PATH
from whispercore.models.layout import FILE_TYPES, Shape, fault, tensors
from whispercore.models.verify import ModelBytes, inspect

from .making import head_bytes, make_model, small_shape, tensor_bytes

MODEL = make_model()
HEAD = len(head_bytes(small_shape()))


def reason_of(path: Path) -> str:
    with pytest.raises(ModelDamaged) as caught:
        inspect(path)
    assert caught.value.path == str(path)
    return caught.value.reason


@pytest.fixture
def judged(tmp_path: Path) -> Callable[[bytes], str]:
    def judge(data: bytes) -> str:
        path = tmp_path / "x.bin"
        path.write_bytes(data)
        return reason_of(path)

    return judge


def test_the_bundled_model_is_whole() -> None:
    info = inspect(MICRO_PATH)
    assert (info.type, info.multilingual, info.quantization) == ("custom", True, "f16")
    assert info.size_bytes == MICRO_PATH.stat().st_size


@pytest.mark.parametrize(("ftype", "name"), [(number, kind.name) for number, kind in FILE_TYPES.items()])
def test_every_number_format(tmp_path: Path, ftype: int, name: str) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(make_model(small_shape(state=256 if name.endswith("K") else 32, ftype=ftype + 2000)))
    assert inspect(path).quantization == name


@pytest.mark.parametrize("name", CATALOGUE)
def test_published_sizes_follow_from_the_layout(name: str) -> None:
    family, quantization = name.replace(".", "-").split("-")[0], name.rpartition("-")[2]
    state, heads, audio, text = {
        "tiny": (384, 6, 4, 4),
        "base": (512, 8, 6, 6),
        "small": (768, 12, 12, 12),
        "medium": (1024, 16, 24, 24),
        "large": (1280, 20, 32, 4 if "turbo" in name else 32),
    }[family]
    n_vocab = 51_864 if ".en" in name else 51_866 if "v3" in name else 51_865
    ftype = {"q5_0": 2008, "q5_1": 2009, "q8_0": 2007}.get(quantization, 1)
    shape = Shape(n_vocab, 1500, state, heads, audio, 448, state, heads, text, 128 if "v3" in name else 80, ftype)
    assert fault(shape) is None
    size = 600_000 + sum(tensor.header_bytes + tensor.data_bytes for tensor in tensors(shape).values())
    assert size / 1e6 == pytest.approx(CATALOGUE[name].size_mb, abs=0.7)


def test_english_models_are_not_multilingual(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(make_model(small_shape(n_vocab=51_864)))
    assert not inspect(path).multilingual


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is an empty file"),
        (b"<!DOCTYPE html><html>...", "it begins with '<!DOCTYPE html', which is a web page"),
        (b"\n <HTML lang=en>", "it begins with '<HTML', which is a web page"),
        (b"GGUF\x03\0\0\0", "it is a GGUF file"),
        (b"PK\x03\x04....", "it is a ZIP archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"lmgg\x0a\0\0\0silero-16k", "finds speech (VAD)"),
        (b"RIFF....WAVE", "it begins with b'RIFF....WAVE'"),
        (b"lmg", "it begins with b'lmg'"),
        (b"lmgg", "it ends after 0.0 MB, before its weights begin"),
        (MODEL[:1000], "it ends after 0.0 MB, before its weights begin"),
        (MODEL[: HEAD - 2], "it ends after 0.1 MB, before its weights begin"),
        (MODEL[:HEAD], "it ends after 0.1 of 0.9 MB"),
        (MODEL[:700_000], "it ends after 0.7 of 0.9 MB"),
        (MODEL[:-5], "it ends 5 bytes too early"),
        (MODEL + b"123", "it goes on for 3 bytes after its end"),
    ],
)
def test_reasons(judged: Callable[[bytes], str], data: bytes, words: str) -> None:
    assert words in judged(data)


@pytest.mark.parametrize(
    ("index", "value", "words"),
    [
        (0, 2_000_000_000, "its header asks for 2,000,000,000 vocabulary entries"),
        (0, 50_000, "its header asks for 50,000 vocabulary entries"),
        (1, 0, "0 audio positions"),
        (2, 9, "its audio states have 9 numbers, but its text states 8"),
        (3, 3, "divided evenly"),
        (4, 2_147_483_647, "audio layers"),
        (7, -1, "-1 text heads"),
        (9, 0, "0 mel bands"),
        (10, 4, "number format 4"),
        (10, -1, "number format -1"),
        (10, 8, "cannot be stored as q5_0"),
        (11, 81, "its mel filters are 81 by 201"),
    ],
)
def test_hostile_headers(judged: Callable[[bytes], str], index: int, value: int, words: str) -> None:
    data = bytearray(MODEL)
    struct.pack_into("<i", data, 4 + 4 * index, value)
    assert words in judged(bytes(data))


def test_hostile_vocabularies(judged: Callable[[bytes], str]) -> None:
    shape = small_shape()
    assert "2,000,000,000 vocabulary entries" in judged(head_bytes(shape, n_words=2_000_000_000))
    assert "-1 vocabulary entries" in judged(head_bytes(shape, n_words=-1))
    assert "its vocabulary lacks ' '" in judged(head_bytes(shape, words=(b" -", b" '")))
    assert "entry 1 of its vocabulary would be 4,294,967,295 bytes" in judged(
        head_bytes(shape, words=(b" ",), n_words=2) + b"\xff" * 9
    )


def test_hostile_tensors(judged: Callable[[bytes], str]) -> None:
    head, parts = head_bytes(small_shape()), [tensor_bytes(one) for one in tensors(small_shape()).values()]
    first = "encoder.positional_embedding"
    assert f"it has {first!r} twice" in judged(head + parts[0] + b"".join(parts))
    assert "Whisper has not" in judged(head + parts[0].replace(b"encoder", b"enc\xffder"))
    assert "has the shape (9, 16), not (8, 16)" in judged(head + parts[0][:12] + b"\x09" + parts[0][13:])
    assert "has the type 1, not f32" in judged(head + parts[0][:8] + b"\x01" + parts[0][9:])
    assert "something that is no tensor at byte" in judged(head + b"\x05" + parts[0][1:])
    assert "something that is no tensor" in judged(head + parts[0][:4] + b"\xff\xff\xff\x7f" + parts[0][8:])


def test_what_is_no_ordinary_file(tmp_path: Path) -> None:
    assert reason_of(tmp_path) == "it is a folder"
    assert reason_of(tmp_path / "none") == "there is no such file"
    os.mkfifo(tmp_path / "pipe")
    assert reason_of(tmp_path / "pipe") == "it is not an ordinary file"
    assert reason_of(Path("a\0b")).startswith("it cannot be read")


def test_sha256(model_path: Path) -> None:
    with ModelBytes(model_path) as model:
        assert model.sha256() == model.sha256() == hashlib.sha256(model_path.read_bytes()).hexdigest()


def inspect_hostile(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    began_s = time.thread_time()
    with contextlib.suppress(ModelDamaged):
        assert inspect(path).size_bytes == len(data)
    assert time.thread_time() - began_s < 2  # nothing that it says makes us work for long


numbers = st.one_of(st.integers(-(2**31), 2**31 - 1), st.sampled_from([0, 1, 2, 4, 8, 80, 201, 255, 51_865, 51_866]))
places = st.one_of(st.integers(0, 60), st.integers(HEAD - 60, HEAD + 200), st.integers(0, len(MODEL) - 4))
no_fixture_check = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@no_fixture_check
@given(tail=st.binary(max_size=3000), marked=st.booleans())
def test_random_bytes(tmp_path: Path, tail: bytes, marked: bool) -> None:
    inspect_hostile(tmp_path / "x.bin", b"lmgg" + tail if marked else tail)


@no_fixture_check
@given(changes=st.lists(st.tuples(places, numbers), min_size=1, max_size=4), cut=st.none() | places)
def test_random_changes_of_a_whole_model(tmp_path: Path, changes: list[tuple[int, int]], cut: int | None) -> None:
    data = bytearray(MODEL)
    for place, number in changes:
        struct.pack_into("<i", data, place, number)
    inspect_hostile(tmp_path / "x.bin", bytes(data[:cut]))
