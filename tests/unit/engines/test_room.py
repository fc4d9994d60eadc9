"""Room in memory: who is let in, who makes way, who waits, who is refused."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import evolve, frozen

import whispercore
from tests.speech import AUDIO, truth
from whispercore.contract.status import status_of
from whispercore.engines.engine import Control, Engine, Options, Window
from whispercore.engines.pool import EnginePool, Lease
from whispercore.engines.room import Room, Taken
from whispercore.engines.whispercpp.engine import WhisperCpp
from whispercore.errors import Cancelled, NoRoom
from whispercore.jobs.failure import Failure
from whispercore.machine import memory_bytes, peak_memory_bytes
from whispercore.models.catalogue import MICRO
from whispercore.models.store import ModelStore
from whispercore.settings import Settings
from whispercore.testing import ScriptedEngine
from whispercore.transcript import Transcript, WordTimes

ENGLISH = Options(language="en")
ALIGNED = Options(language="en", words=True, word_times="dtw")
MB = 1_000_000


@frozen
class File:
    name: str

    @property
    def path(self) -> Path:
        return Path(f"{self.name}.bin")

    @property
    def sha256(self) -> str:
        return self.name


class Engines:
    """Engines of 100 MB each, by the name of their model, and which of them are loaded."""

    def __init__(self) -> None:
        self.loaded: set[str] = set()

    def __call__(self, model: Path, *, sha256: str, threads: int | None = None) -> Engine:  # noqa: ARG002
        loaded = self.loaded

        class Noted(ScriptedEngine):
            def load(self) -> None:
                super().load()
                loaded.add(model.stem)

            def unload(self) -> None:
                super().unload()
                loaded.discard(model.stem)

        return Noted()

    def needed_bytes(self, _model: Path, _settings: Settings | None) -> int:
        return 100 * MB


@contextmanager
def pool_of(engines: Engines, room: Room) -> Iterator[EnginePool]:
    with EnginePool(find=lambda _: engines, room=room) as pool:
        yield pool


def used_once(pool: EnginePool, name: str, *, keep: bool = False) -> None:
    with pool.lease(File(name), keep=keep) as lease:
        lease.decode(Window(index=0, start_s=0.0, samples=bytes(64_000)), ENGLISH, Control()).result(60)


def test_those_that_nobody_uses_make_way_the_longest_unused_first() -> None:
    engines = Engines()
    with pool_of(engines, Room(250 * MB)) as pool:
        for name in ("one", "two", "one", "three"):
            used_once(pool, name)
        assert engines.loaded == {"one", "three"}


def test_one_that_is_used_is_waited_for() -> None:
    engines = Engines()
    with pool_of(engines, Room(150 * MB)) as pool:
        first = pool.lease(File("first"))
        first.ready().result(60)
        second = pool.lease(File("second"))
        assert not second.ready().done()
        assert engines.loaded == {"first"}
        first.close()
        second.ready().result(60)
        assert engines.loaded == {"second"}
        second.close()


def test_who_gives_up_waiting_leaves_the_queue() -> None:
    engines = Engines()
    with pool_of(engines, Room(150 * MB)) as pool, pool.lease(File("first")) as first:
        first.ready().result(60)
        waiting = pool.lease(File("second"))
        ready = waiting.ready()
        waiting.close()
        with pytest.raises(Cancelled):
            ready.result(60)
        assert pool.loaded == 1


def test_what_can_never_fit_is_refused_and_nobody_makes_way_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Engines()
    with (
        pool_of(engines, Room(50 * MB)) as pool,
        pool.lease(File("large")) as lease,
        pytest.raises(NoRoom, match="needs about 100 MB of memory, and 50 MB are free; use a smaller one") as raised,
    ):
        lease.ready().result(60)
    assert (raised.value.need_bytes, raised.value.free_bytes) == (100 * MB, 50 * MB)
    assert status_of(raised.value) == 503
    assert not Failure.of(raised.value).retry, "it will not fit in a minute either"
    assert not engines.loaded
    monkeypatch.setattr(engines, "needed_bytes", lambda _model, _settings: 10 * MB)
    with pool_of(engines, Room(50 * MB)) as pool:
        used_once(pool, "small")


def test_what_the_machine_has_free_counts_where_no_limit_is_set() -> None:
    free = [80 * MB]
    engines = Engines()
    with pool_of(engines, Room(look=lambda: (1000 * MB, free[0]))) as pool:
        with pool.lease(File("one")) as lease, pytest.raises(NoRoom, match="try again when less is going on") as raised:
            lease.ready().result(60)
        assert Failure.of(raised.value).retry, "others may make way"
        free[0] = 130 * MB
        used_once(pool, "one")


def test_what_was_set_aside_is_not_given_twice() -> None:
    """Of 150 MB that are free, 100 are set aside for one that has not taken them yet."""
    engines = Engines()
    with pool_of(engines, Room(look=lambda: (1000 * MB, 150 * MB))) as pool, pool.lease(File("one")) as one:
        one.ready().result(60)
        with pool.lease(File("two")) as two:
            assert not two.ready().done()


@pytest.mark.parametrize("room", [Room(look=lambda: None), Room(look=lambda: (0, 0))])
def test_where_nobody_tells_or_nothing_is_needed_all_are_let_in(room: Room) -> None:
    engines = Engines()
    if room.look() is not None:
        engines.needed_bytes = lambda _model, _settings: 0  # type: ignore[method-assign]
    with pool_of(engines, room) as pool:
        for name in ("one", "two", "three"):
            used_once(pool, name)
        assert len(engines.loaded) == 3


def test_one_that_is_kept_stays_until_another_needs_the_room() -> None:
    engines = Engines()
    with EnginePool(keep_alive_s=0.0, find=lambda _: engines, room=Room(250 * MB)) as pool:
        used_once(pool, "kept", keep=True)
        used_once(pool, "other")
        while engines.loaded != {"kept"}:
            threading.Event().wait(0.01)
        with pool.lease(File("one")) as one, pool.lease(File("two")) as two:
            one.ready().result(60)
            two.ready().result(60)
            assert engines.loaded == {"one", "two"}


def test_many_at_once_never_have_more_than_there_is() -> None:
    engines = Engines()
    most = 0
    with pool_of(engines, Room(250 * MB)) as pool:

        def use(number: int) -> None:
            nonlocal most
            for turn in range(5):
                with pool.lease(File(f"model {(number + turn) % 6}")) as lease:
                    lease.ready().result(60)
                    most = max(most, len(engines.loaded))

        threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in threads)
    assert 1 <= most <= 2


def test_the_need_of_a_real_model_is_estimated_then_measured() -> None:
    """A limit that micro fits in by the estimate; then what its process really had is what counts."""
    settings = Settings()
    model = ModelStore(settings).get(MICRO.name)
    estimate = WhisperCpp.needed_bytes(model.path, settings)
    room = Room(2 * estimate)
    with EnginePool(find=lambda _: WhisperCpp, room=room) as pool:
        whispercore.stream(AUDIO / next(iter(truth())), model=MICRO.name, pool=pool).run()
        with pool.lease(model, threads=7) as another:  # takes the place of nobody: there is room for both
            another.ready().result(60)
            assert pool.loaded == 2
    measured = room.need_bytes("whisper-cpp", model.sha256, 0)
    assert estimate / 3 < measured < 3 * estimate


@pytest.mark.parametrize(("name", "copies"), [("small", 1), ("small-q5_1", 1), ("mine", 0)])
def test_alignment_of_words_needs_the_weights_once_more(name: str, copies: int, tmp_path: Path) -> None:
    model = tmp_path / f"{name}.bin"
    model.write_bytes(bytes(8000))
    assert WhisperCpp.alignment_bytes(model) == copies * 8000
    folder = tmp_path / name
    folder.mkdir()
    assert WhisperCpp.alignment_bytes(folder) == 0


class Aligners(Engines):
    """The same, which take 60 MB more to align words."""

    def alignment_bytes(self, _model: Path) -> int:
        return 60 * MB


def times_in(lease: Lease, options: Options = ALIGNED) -> WordTimes | None:
    """How the words of a window get their times."""
    window = Window(index=0, start_s=0.0, samples=bytes(64_000))
    return lease.decode(window, options, Control()).result(60).word_times


def test_for_the_alignment_of_words_those_that_nobody_uses_make_way() -> None:
    engines = Aligners()
    with pool_of(engines, Room(250 * MB)) as pool:
        used_once(pool, "other")
        with pool.lease(File("one")) as one:
            for options in (ENGLISH, evolve(ALIGNED, word_times="tokens"), evolve(ALIGNED, translate=True)):
                _ = times_in(one, options)
            assert engines.loaded == {"one", "other"}, "nothing was to be aligned"
            assert times_in(one) == "dtw"
            assert engines.loaded == {"one"}
            with pool.lease(File("other")) as other:
                assert not other.ready().done(), "what was set aside is not given twice"
            assert times_in(one) == "dtw", "it has the room for as long as it is loaded"


def test_words_do_not_wait_for_others_and_get_the_times_of_tokens() -> None:
    with pool_of(Aligners(), Room(250 * MB)) as pool, pool.lease(File("one")) as one:
        with pool.lease(File("other")) as other:
            other.ready().result(60)
            assert times_in(one) == "tokens"
        assert times_in(one) == "dtw"


def test_who_cannot_align_or_is_gone_takes_no_room_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Aligners()
    with pool_of(engines, Room(100 * MB)) as pool, pool.lease(File("one")) as one:

        def gone(_model: Path) -> int:
            raise FileNotFoundError(2, "No such file", "one.bin")

        monkeypatch.setattr(engines, "alignment_bytes", gone)
        assert times_in(one) == "tokens"
        monkeypatch.setattr(engines, "alignment_bytes", lambda _model: 0)
        assert times_in(one) == "dtw"


def test_without_room_a_transcript_has_words_by_tokens_and_says_so() -> None:
    sound = AUDIO / "clip01-en.wav"
    settings = Settings()
    model = ModelStore(settings).get(MICRO.name)
    room = Room(WhisperCpp.needed_bytes(model.path, settings))

    def heard() -> Transcript:
        # Each begins with a new child, so that what it had at most is not that of the one before.
        with EnginePool(find=lambda _: WhisperCpp, room=room) as pool:
            return whispercore.stream(sound, model=MICRO.name, words=True, pool=pool, settings=settings).run()

    narrow = heard()
    assert (narrow.fingerprint.word_times, narrow.fingerprint.alignment_failed) == ("tokens", True)
    assert narrow.earlier_fingerprints == ()
    assert not narrow.is_as_asked
    room.limit_bytes = None
    wide = heard()
    assert (wide.fingerprint.word_times, wide.fingerprint.alignment_failed) == ("dtw", False)
    assert wide.is_as_asked
    assert wide.text == narrow.text
    assert wide.words != narrow.words


def test_the_memory_of_this_machine_and_process() -> None:
    seen = memory_bytes()
    assert seen is not None
    total, free = seen
    assert 0 < free <= total
    assert 1 << 20 < (peak_memory_bytes(os.getpid()) or 0) < total
    assert peak_memory_bytes(1 << 30) is None


@pytest.mark.parametrize(("group", "expected"), [((40, 10), (40, 30)), ((5000, 0), (1000, 600)), (None, (1000, 600))])
def test_a_control_group_has_less(
    group: tuple[int, int] | None,
    expected: tuple[int, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    info = tmp_path / "meminfo"
    info.write_text(f"MemTotal: {1000} kB\nMemFree: 1 kB\nMemAvailable: {600} kB\n")
    monkeypatch.setattr("whispercore.machine._MEMORY_INFO", info)
    group_kb: Callable[[], tuple[int, int] | None] = lambda: (  # noqa: E731
        (group[0] * 1024, group[1] * 1024) if group is not None else None
    )
    monkeypatch.setattr("whispercore.machine.group_memory", group_kb)
    assert memory_bytes() == (expected[0] * 1024, expected[1] * 1024)


def test_what_words_took_is_no_need_of_a_model() -> None:
    room = Room()
    room.learn("whisper-cpp", "abc", Taken(160, 150, alignment_bytes=60))
    assert room.need_bytes("whisper-cpp", "abc", 7) == 7
    room.learn("whisper-cpp", "abc", Taken(100, 90, alignment_bytes=0))
    assert room.need_bytes("whisper-cpp", "abc", 7) == 90


def test_what_nobody_needs_is_not_learned() -> None:
    room = Room(1)
    room.learn("whisper-cpp", "abc", Taken())
    assert room.need_bytes("whisper-cpp", "abc", 7) == 7
