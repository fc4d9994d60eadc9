"""Trying the engine and the decoder: whatever they do to their child processes, this one tells it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
import wave
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from whispercore.audio import decoder as audio
from whispercore.engines.engine import SAMPLE_RATE, Control, Options, Window
from whispercore.engines.whispercpp.engine import WhisperCpp
from whispercore.models.catalogue import MICRO
from whispercore.models.store import ModelStore
from whispercore.settings import Settings
from whispercore_server.cli.doctor.findings import CTranslate2, Decoder, Engine

_ON = re.compile(r"([A-Z0-9_]+) = 1")
_VERSIONS: Final = "import av, json; print(json.dumps([av.__version__, av.ffmpeg_version_info, av.library_versions]))"
_CTRANSLATE2: Final = (
    "import ctranslate2 as c, json; n = c.get_cuda_device_count(); "
    "print(json.dumps([c.__version__, n, sorted(c.get_supported_compute_types('cuda' if n else 'cpu'))]))"
)
_IMPORT_LIMIT_S = 60.0


def engine() -> Engine:
    """Load the bundled model, and decode a second of silence with it.

    Raises:
        WhispercoreError: It does not work.
    """
    model = ModelStore(Settings(offline=True)).named(MICRO.name)
    one = WhisperCpp(model.path, sha256=model.sha256)
    try:
        began = time.monotonic()
        one.load()
        loaded = time.monotonic()
        silence = Window(index=0, start_s=0.0, samples=bytes(4 * SAMPLE_RATE))
        one.decode([silence], Options(language="en"), Control())
        decoded = time.monotonic()
        slots, device = one.capabilities.slots, one.loaded.device
        return Engine(
            library=one.fingerprint.engine,
            shared_weights=slots > 1,
            slots=slots,
            device=device.kind,
            card=f"{device.description} ({device.name})" if device.name else None,
            card_memory_bytes=device.memory_bytes,
            backends=device.backends,
            features=tuple(_ON.findall(one.loaded.system)),
            system=one.loaded.system,
            load_s=round(loaded - began, 3),
            decode_s=round(decoded - loaded, 3),
        )
    finally:
        one.unload()


def ctranslate2() -> CTranslate2 | None:
    """What CTranslate2 can compute on; None where it is not installed.

    Raises:
        RuntimeError: It cannot be loaded.
    """
    if find_spec("ctranslate2") is None:
        return None
    answer = _asked("ctranslate2", _CTRANSLATE2)
    return CTranslate2(version=str(answer[0]), cards=int(answer[1]), compute_types=tuple(answer[2]))


def decoder() -> Decoder:
    """Read a second of silence from a file.

    Raises:
        WhispercoreError: It does not work.
        OSError: The temporary folder cannot be written.
        RuntimeError: PyAV cannot be loaded.
    """
    pyav, ffmpeg, libraries = _versions()
    with tempfile.TemporaryDirectory(prefix="whispercore-doctor-") as folder:
        path = Path(folder) / "silence.wav"
        _write_silence(path)
        with audio.Decoder(path) as one:
            for _ in one.windows(10.0):
                pass
            codec = one.sound.codec
    return Decoder(
        pyav=pyav,
        ffmpeg=ffmpeg,
        libraries=tuple(f"{name} {'.'.join(map(str, version))}" for name, version in libraries.items()),
        codec=codec,
    )


def _versions() -> tuple[str, str, dict[str, list[int]]]:
    answer = _asked("av", _VERSIONS)
    return str(answer[0]), str(answer[1]), dict(answer[2])


def _asked(module: str, program: str) -> Any:
    """What a program prints that imports a module, from JSON."""
    try:
        asked = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=_IMPORT_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"importing {module} took more than {_IMPORT_LIMIT_S:.0f} s") from None
    if asked.returncode:
        last = asked.stderr.strip().splitlines()[-1:] or [f"exit code {asked.returncode}"]
        raise RuntimeError(f"{module} cannot be imported: {last[0]}")
    return json.loads(asked.stdout)


def _write_silence(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(bytes(2 * SAMPLE_RATE))
