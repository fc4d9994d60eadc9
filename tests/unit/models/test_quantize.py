"""Models with smaller numbers: what is in them, that they can be used, and that nothing half is left behind."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

import whispercore
from tests.speech import AUDIO, distance, truth, words
from whispercore.engines.pool import EnginePool
from whispercore.errors import InvalidOption, ModelDamaged, NoSpace
from whispercore.models.catalogue import MICRO_PATH
from whispercore.models.layout import Shape, TensorType, tensors
from whispercore.models.store import ModelStore
from whispercore.models.verify import inspect
from whispercore.settings import Settings

from .hub import leftovers
from .making import WORDS, head_bytes, make_model, sha256_of, small_shape

Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
PROGRAM = next(filter(None, map(shutil.which, ("whisper-quantize", "quantize"))), None)


def numbers(path: Path, name: str) -> Numbers:
    """Those of one tensor, read by the book of the format."""
    data = path.read_bytes()
    shape = Shape(*struct.unpack_from("<11i", data, 4))
    tensor = tensors(shape)[name]
    at = data.index(name.encode()) + len(name)
    return plain(data[at : at + tensor.data_bytes], tensor.type)


def plain(raw: bytes, type_: TensorType) -> Numbers:
    if type_.name == "f16":
        return np.frombuffer(raw, "<f2").astype(np.float32)
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, type_.block_bytes)
    scale = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    if type_.name == "q8_0":
        whole = np.ascontiguousarray(blocks[:, 2:]).view(np.int8).astype(np.float32)
    else:
        high = np.unpackbits(blocks[:, 2:6], axis=1, bitorder="little").astype(np.int16) << 4
        low = np.concatenate([blocks[:, 6:] & 15, blocks[:, 6:] >> 4], axis=1)
        whole = ((low | high) - 16).astype(np.float32)
    return (whole * scale).reshape(-1)


@pytest.mark.parametrize(("kind", "steps"), [("q8_0", 127), ("q5_0", 16)])
def test_numbers_stay_near(store: ModelStore, kind: str, steps: int) -> None:
    made = store.quantize("micro", kind)
    for name in ("decoder.token_embedding.weight", "encoder.blocks.0.mlp.2.weight"):
        before, after = numbers(MICRO_PATH, name), numbers(made.path, name)
        largest = np.abs(before.reshape(-1, 32)).max(axis=1, keepdims=True)
        off = np.abs(before - after).reshape(-1, 32)
        assert (off <= largest / steps * 1.01 + 1e-7).all()
        assert off.max() > 0


@pytest.mark.parametrize("kind", ["q8_0", "q5_0"])
def test_micro_says_the_same(store: ModelStore, pool: EnginePool, kind: str) -> None:
    made = store.quantize("micro", kind)
    assert (made.name, made.engine) == (f"micro-{kind}", "whisper-cpp")
    assert made.info is not None
    assert made.info.quantization == kind
    assert made.size_bytes < 0.7 * MICRO_PATH.stat().st_size
    assert store.get(made.name) == store.verify(made.name) == made
    wrong = spoken = 0
    for name in ("clip05-en.wav", "clip13-de.wav", "clip17-es.wav"):
        said = truth()[name]
        language = name.removesuffix(".wav")[-2:]
        stream = whispercore.stream(AUDIO / name, model=made.path, language=language, threads=1, pool=pool)
        heard = stream.run().text
        wrong += distance(words(str(said["text"])), words(heard))
        spoken += len(words(str(said["text"])))
    assert wrong / spoken <= 0.1


@pytest.mark.skipif(PROGRAM is None, reason="whisper.cpp's own program is not on the path")
@pytest.mark.parametrize("kind", ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0"])
def test_the_bytes_are_those_of_whispercpp(store: ModelStore, tmp_path: Path, kind: str) -> None:
    theirs = tmp_path / "theirs.bin"
    subprocess.run([str(PROGRAM), MICRO_PATH, theirs, kind], check=True, capture_output=True)
    assert store.quantize("micro", kind).sha256 == sha256_of(theirs)


def test_a_file_gets_a_name(store: ModelStore, settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "own file.bin"
    path.write_bytes(make_model(small_shape(state=64)))
    with pytest.raises(InvalidOption, match="'own file-q5_1' cannot be used"):
        store.quantize(path, "q5_1")
    made = store.quantize(path, "q5_1", name="own")
    with pytest.raises(InvalidOption, match="already here"):
        store.quantize(path, "q8_0", name="own")
    assert store.verify("own") == made
    assert store.quantize(path, "q8_0", name="own", replace=True).sha256 != made.sha256
    assert leftovers(settings.models_dir) == {"own.bin", "own.json"}


def test_whole_floats(store: ModelStore, tmp_path: Path) -> None:
    path = tmp_path / "floats.bin"
    path.write_bytes(make_model(small_shape(state=32, ftype=0)))
    assert inspect(store.quantize(path, "q8_0").path).quantization == "q8_0"


def test_large_blocks(store: ModelStore, tmp_path: Path) -> None:
    path = tmp_path / "wide.bin"
    path.write_bytes(make_model(small_shape(state=256)))
    assert inspect(store.quantize(path, "q4_k").path).quantization == "q4_K"


def test_what_cannot_be(store: ModelStore, settings: Settings, ct2_micro: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.bin"
    small.write_bytes(make_model(small_shape(state=32)))
    for model, kind, why in (
        (small, "q5", "'q5' is none of q4_0, q4_1,"),
        (small, "f16", "'f16' is none of"),
        (small, "q2_k", "its states cannot be stored as q2_K"),
        (ct2_micro, "q8_0", "'micro' is for faster-whisper"),
        (store.quantize(small, "q8_0").path, "q5_0", "quantised already, to q8_0"),
    ):
        with pytest.raises(InvalidOption, match=why):
            store.quantize(model, kind, name="no")
    with pytest.raises(InvalidOption, match="cannot be replaced"):
        store.quantize(small, "q8_0", name="micro", replace=True)
    assert leftovers(settings.models_dir) == {"small-q8_0.bin", "small-q8_0.json"}


def test_numbers_that_are_none(store: ModelStore, settings: Settings, tmp_path: Path) -> None:
    shape = small_shape(state=32)
    whole = bytearray(make_model(shape))
    name = b"decoder.token_embedding.weight"
    at = whole.index(name) + len(name)
    whole[at : at + 2] = struct.pack("<e", float("inf"))
    path = tmp_path / "odd.bin"
    path.write_bytes(whole)
    with pytest.raises(ModelDamaged, match=r"'decoder\.token_embedding\.weight' has numbers that are not finite"):
        store.quantize(path, "q8_0")
    path.write_bytes(whole[:-1])
    with pytest.raises(ModelDamaged, match="too early"):
        store.quantize(path, "q8_0")
    path.write_bytes(head_bytes(shape, words=WORDS))
    with pytest.raises(ModelDamaged):
        store.quantize(path, "q8_0")
    assert leftovers(settings.models_dir) == set()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_the_disk_fills_up(store: ModelStore, settings: Settings) -> None:
    settings.models_dir.mkdir()
    (settings.models_dir / ".micro-q8_0.add.tmp").symlink_to("/dev/full")
    with pytest.raises(NoSpace):
        store.quantize("micro", "q8_0")
    assert leftovers(settings.models_dir) == set()
