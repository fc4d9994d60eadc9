"""Two small ONNX models that tell tones apart as real ones tell voices, and a recording for them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from whispercore.engines.engine import Window
from whispercore.models.voices import VoiceModel, VoiceModels
from whispercore.settings import Settings

LOW_HZ, HIGH_HZ = 300.0, 2000.0
"""What the two voices hum."""
_RATE, _FIELD, _SHIFT = 16_000, 991, 270
"""As in pyannote's segmentation: samples that a frame sees, and from one frame to the next."""
_MEL_BANDS = 80
Sound = np.ndarray[tuple[int], np.dtype[np.float32]]


def hum(pitch_hz: float, length_s: float) -> Sound:
    """One of the voices."""
    at_s = np.arange(round(length_s * _RATE)) / _RATE
    return (0.3 * np.sin(2 * np.pi * pitch_hz * at_s)).astype(np.float32)


def pause(length_s: float) -> Sound:
    return np.zeros(round(length_s * _RATE), np.float32)


def conversation() -> Sound:
    """Low from 1 to 4 s, high from 5 to 9 s, low from 10 to 13 s, high from 15 to 20 s; 21 s in all."""
    low, high = hum(LOW_HZ, 3), [hum(HIGH_HZ, length_s) for length_s in (4, 5)]
    parts = (pause(1), low, pause(1), high[0], pause(1), low, pause(2), high[1], pause(1))
    return np.concatenate(parts).astype(np.float32)


def windows(sound: Sound, window_s: float = 5.0) -> list[Window]:
    """A recording as the decoder gives it."""
    step = round(window_s * _RATE)
    return [
        Window(index=number, start_s=start / _RATE, samples=sound[start : start + step].tobytes())
        for number, start in enumerate(range(0, len(sound), step))
    ]


def make_models(folder: Path) -> dict[str, VoiceModel]:
    """A catalogue of models that lie in this folder, as the store has them."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {"tones-segmentation": _segmentation(), "tones-embedding": _embedding()}
    catalogue = {}
    for name, model in made.items():
        data = model.SerializeToString()
        (folder / f"{name}.onnx").write_bytes(data)
        catalogue[name] = VoiceModel(
            name=name,
            part="segmentation" if "segmentation" in name else "embedding",
            url=f"http://127.0.0.1:9/{name}",
            size_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            note="",
        )
    return catalogue


def tone_models(settings: Settings) -> VoiceModels:
    """The store with these models in its folder."""
    return VoiceModels(settings, catalogue=make_models(settings.models_dir))


def _segmentation() -> onnx.ModelProto:
    """For each frame one of pyannote's seven classes: nobody, one of three, or two of them, by the loudest tone."""
    at_s, fade = np.arange(_FIELD) / _RATE, np.hanning(_FIELD)
    turning = [wave(2 * np.pi * hz * at_s) * fade for hz in (LOW_HZ, HIGH_HZ) for wave in (np.sin, np.cos)]
    filters = (np.stack(turning) / fade.sum() * 2).astype(np.float32)[:, None, :]
    pairs = np.zeros((2, 4, 1), np.float32)
    pairs[0, :2] = pairs[1, 2:] = 1
    classes = np.zeros((2, 7), np.float32)
    classes[0, 1] = classes[1, 2] = 4000
    bias = np.array([10, 0, 0, -50, -50, -50, -50], np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "filters"], ["turned"], strides=[_SHIFT]),
        helper.make_node("Mul", ["turned", "turned"], ["squared"]),
        helper.make_node("Conv", ["squared", "pairs"], ["power"]),
        helper.make_node("Transpose", ["power"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["frames", "classes"], ["scores"]),
        helper.make_node("Add", ["scores", "bias"], ["biased"]),
        helper.make_node("LogSoftmax", ["biased"], ["y"], axis=-1),
    ]
    about = {
        "num_speakers": "3",
        "powerset_max_classes": "2",
        "num_classes": "7",
        "sample_rate": str(_RATE),
        "window_size": str(10 * _RATE),
        "receptive_field_size": str(_FIELD),
        "receptive_field_shift": str(_SHIFT),
    }
    weights = {"filters": filters, "pairs": pairs, "classes": classes, "bias": bias}
    return _model(nodes, ("x", ["N", 1, "T"]), ("y", ["N", "F", 7]), weights, about)


def _embedding() -> onnx.ModelProto:
    """Two numbers: how much of the sound is in the low bands, and how much in the high ones."""
    halves = np.zeros((_MEL_BANDS, 2), np.float32)
    halves[:20, 0] = halves[30:50, 1] = 1
    nodes = [
        helper.make_node("ReduceMean", ["feats"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "halves"], ["sums"]),
        helper.make_node("Softmax", ["sums"], ["embs"], axis=-1),
    ]
    about = {
        "framework": "wespeaker",
        "language": "none",
        "sample_rate": str(_RATE),
        "output_dim": "2",
        "normalize_samples": "0",
        "feature_normalize_type": "",
    }
    return _model(nodes, ("feats", ["N", "T", _MEL_BANDS]), ("embs", ["N", 2]), {"halves": halves}, about)


def _model(
    nodes: list[onnx.NodeProto],
    given: tuple[str, list[str | int]],
    made: tuple[str, list[str | int]],
    weights: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]],
    about: dict[str, str],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "tones",
        [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1])],
        [helper.make_tensor_value_info(made[0], TensorProto.FLOAT, made[1])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, about)
    return model
