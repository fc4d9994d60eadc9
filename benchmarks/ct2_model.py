"""A model of whisper.cpp as CTranslate2 reads it: the same weights for two engines, without PyTorch.

Only files of half floats and floats, such as ``micro`` and those of ``speed_model``.
"""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from whispercore.languages import LANGUAGES

Numbers = np.ndarray[Any, np.dtype[np.floating[Any]]]

_TIMES = 1501
_OTHERS = 51766
"""Tokens that are not those of languages."""


def converted(model: Path, folder: Path, *, quantization: str | None = None) -> Path:
    """The folder with the model in the form of CTranslate2, made unless it is there.

    Args:
        model: A multilingual file of whisper.cpp whose numbers are half floats.
        folder: Where it goes; its parent has to be there.
        quantization: Of CTranslate2, such as ``float16``; None leaves floats.
    """
    if (folder / "model.bin").is_file():
        return folder
    with model.open("rb") as file:
        shape = struct.unpack("<12i", file.read(48))
        words = _words(file)
        weights = dict(_tensors(file))
    _write(shape, words, weights, folder, quantization)
    languages, mels = shape[1] - _OTHERS, shape[10]
    _tokenizer(words, languages, folder / "tokenizer.json")
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": mels}))
    return folder


def _words(file: BinaryIO) -> list[bytes]:
    bands, bins = struct.unpack("<2i", file.read(8))
    _ = file.seek(4 * bands * bins, 1)
    (count,) = struct.unpack("<i", file.read(4))
    return [file.read(struct.unpack("<I", file.read(4))[0]) for _ in range(count)]


def _tensors(file: BinaryIO) -> Iterator[tuple[str, Numbers]]:
    while head := file.read(12):
        dims, length, kind = struct.unpack("<3i", head)
        shape = struct.unpack(f"<{dims}i", file.read(4 * dims))
        name = file.read(length).decode()
        size = np.dtype("<f2" if kind else "<f4")
        values = np.frombuffer(file.read(int(np.prod(shape)) * size.itemsize), size)
        yield name, values.astype(np.float32).reshape(shape[::-1])


def _write(
    shape: Sequence[int],
    words: Sequence[bytes],
    weights: Mapping[str, Numbers],
    folder: Path,
    quantization: str | None,
) -> None:
    import ctranslate2  # noqa: PLC0415 - an extra

    _, n_vocab, _, _, heads, layers, _, _, text_heads, text_layers, *_ = shape
    languages = n_vocab - _OTHERS
    spec = ctranslate2.specs.WhisperSpec(layers, heads, text_layers, text_heads)
    for side, spec_of, norm in (("encoder", spec.encoder, "ln_post"), ("decoder", spec.decoder, "ln")):
        _norm(spec_of.layer_norm, f"{side}.{norm}", weights)
        spec_of.position_encodings.encodings = weights[f"{side}.positional_embedding"]
        for number, layer in enumerate(spec_of.layer):
            block = f"{side}.blocks.{number}"
            _attention(layer.self_attention, f"{block}.attn", weights)
            if side == "decoder":
                _attention(layer.attention, f"{block}.cross_attn", weights, crossed=True)
            _norm(layer.ffn.layer_norm, f"{block}.mlp_ln", weights)
            _linear(layer.ffn.linear_0, [f"{block}.mlp.0"], weights)
            _linear(layer.ffn.linear_1, [f"{block}.mlp.2"], weights)
    for name in ("conv1", "conv2"):
        convolution = getattr(spec.encoder, name)
        convolution.weight = weights[f"encoder.{name}.weight"]
        convolution.bias = weights[f"encoder.{name}.bias"].reshape(-1)
    spec.decoder.embeddings.weight = weights["decoder.token_embedding.weight"]
    spec.decoder.projection.weight = weights["decoder.token_embedding.weight"]
    spec.register_vocabulary(_vocabulary(words, languages))
    first = len(words) + 2
    spec.config.lang_ids = list(range(first, first + languages))
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [220, len(words)]
    spec.config.alignment_heads = list(itertools.product(range(text_layers // 2, text_layers), range(text_heads)))
    spec.validate()
    spec.optimize(quantization=quantization)
    folder.mkdir()
    spec.save(str(folder))


def _attention(spec: Any, name: str, weights: Mapping[str, Numbers], *, crossed: bool = False) -> None:
    _norm(spec.layer_norm, f"{name}_ln", weights)
    parts = [["query"], ["key", "value"], ["out"]] if crossed else [["query", "key", "value"], ["out"]]
    for linear, names in zip(spec.linear, parts, strict=True):
        _linear(linear, [f"{name}.{part}" for part in names], weights)


def _linear(spec: Any, names: Sequence[str], weights: Mapping[str, Numbers]) -> None:
    spec.weight = np.concatenate([weights[f"{name}.weight"] for name in names])
    width = spec.weight.shape[0] // len(names)
    nothing = np.zeros(width, np.float32)  # keys have no bias
    spec.bias = np.concatenate([weights.get(f"{name}.bias", nothing) for name in names])


def _norm(spec: Any, name: str, weights: Mapping[str, Numbers]) -> None:
    spec.gamma, spec.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]


def _special(languages: int) -> list[str]:
    tags = list(LANGUAGES)[:languages]
    tasks = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")
    names = ("endoftext", "startoftranscript", *tags, *tasks)
    return [f"<|{name}|>" for name in names] + [f"<|{number * 0.02:.2f}|>" for number in range(_TIMES)]


def _vocabulary(words: Sequence[bytes], languages: int) -> list[str]:
    letters = _letters()
    found: dict[str, None] = {}
    for number, word in enumerate(words):
        text = "".join(letters[byte] for byte in word)
        found[text if text and text not in found else f"unused {number}"] = None  # small models lack some
    found[""] = found.popitem()[1]  # by this one, the last, CTranslate2 knows models of many languages
    return [*found, *_special(languages)]


def _letters() -> list[str]:
    """How tokenizers write bytes: those that can be printed as themselves, the others above 255 (GPT-2)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) if byte in shown else chr(256 + hidden.index(byte)) for byte in range(256)]


def _tokenizer(words: Sequence[bytes], languages: int, path: Path) -> None:
    first, names = len(words), _special(languages)
    document = {
        "version": "1.0",
        "added_tokens": [
            {
                "id": first + number,
                "content": name,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": number < len(names) - _TIMES,
            }
            for number, name in enumerate(names)
        ],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "unk_token": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {word: number for number, word in enumerate(_vocabulary(words, languages)[:first])},
            "merges": [],
        },
    }
    path.write_text(json.dumps(document))
