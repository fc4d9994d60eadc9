"""Several graphics cards: a child for each, which sees no other, and calls shared among them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.speech import samples, truth, word_errors
from whispercore.engines.devices import OnDevices
from whispercore.engines.engine import Control, Engine, Options, Window
from whispercore.engines.fasterwhisper.engine import FasterWhisper
from whispercore.engines.pool import EnginePool
from whispercore.engines.whispercpp.engine import WhisperCpp
from whispercore.models.store import ModelFile
from whispercore.settings import Settings
from whispercore.testing import ScriptedEngine

CARDS = Settings(devices=("1", "GPU-8f3a"))
VARIABLES = ("CUDA_VISIBLE_DEVICES", "GGML_VK_VISIBLE_DEVICES")


def window(number: int, name: str = "clip01-en.wav") -> Window:
    return Window(index=number, start_s=10.0 * number, samples=samples(name).tobytes())


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="it looks at the children's environment")
def test_a_child_for_each_card(micro: ModelFile) -> None:
    made: list[WhisperCpp] = []

    class Noted(WhisperCpp):
        def load(self) -> None:
            made.append(self)
            super().load()

    with EnginePool(find=lambda _: Noted) as pool:
        lease = pool.lease(micro, threads=1, settings=CARDS)
        engine = lease.ready().result()
        assert engine.capabilities.slots == sum(one.capabilities.slots for one in made)
        heard = [lease.decode(window(number), Options(language="en"), Control()) for number in range(4)]
        texts = [" ".join(segment.text for segment in one.result().segments) for one in heard]
        children = [psutil.Process(one.pid) for one in made]
        seen = [tuple(child.environ()[name] for name in VARIABLES) for child in children]
        lease.close()
    assert sorted(seen) == [("1", "1"), ("GPU-8f3a", "GPU-8f3a")]
    assert all(word_errors(str(truth()["clip01-en.wav"]["text"]), text) == 0 for text in texts)
    psutil.wait_procs(children, timeout=60)
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def test_one_child_sees_all_cards_where_none_is_named(micro: ModelFile) -> None:
    for kind in (WhisperCpp, FasterWhisper):
        assert isinstance(kind.configured(Settings())(micro.path, sha256=micro.sha256), kind)
        assert isinstance(kind.configured(CARDS)(micro.path, sha256=micro.sha256), OnDevices)


def test_calls_go_where_fewest_run() -> None:
    go = threading.Event()
    begun = threading.Semaphore(0)

    def waits(one: Window) -> str:
        begun.release()
        assert go.wait(60)
        return str(one.index)

    engines: list[ScriptedEngine] = []

    def make(model: Path, *, sha256: str, threads: int | None = None, device: str | None = None) -> Engine:
        engines.append(ScriptedEngine(waits))
        return engines[-1](model, sha256=sha256, threads=threads)

    cards = OnDevices(make, ("0", "1"), Path("model"), sha256="0" * 64)
    cards.load()
    assert [engine.loads for engine in engines] == [1, 1]
    assert cards.capabilities.slots == 4
    with ThreadPoolExecutor(4) as threads:
        found = [threads.submit(cards.decode, [window(n)], Options(), Control()) for n in range(4)]
        for _ in found:
            assert begun.acquire(timeout=60)
        assert [len(engine.calls) for engine in engines] == [2, 2]
        go.set()
        assert [one.result()[0].segments[0].text for one in found] == ["0", "1", "2", "3"]
    assert cards.detect_language(window(0), Control()).code == "en"
    cards.unload()
