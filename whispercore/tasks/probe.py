"""A first look at a recording, before anybody is promised a transcript of it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import frozen

from whispercore.audio import MAX_WINDOW_S
from whispercore.audio.decoder import Decoder, Sound
from whispercore.audio.joined import PartFiles, opened
from whispercore.audio.messages import Channels
from whispercore.audio.readers import Readers, end_early, start_early
from whispercore.audio.replay import LONGEST_S, Recording
from whispercore.audio.signature import missing_end
from whispercore.audio.vad import Vad
from whispercore.engines.engine import Control
from whispercore.errors import Cancelled, DamagedMedia, NoSound, TruncatedMedia
from whispercore.tasks.readers_by_owner import ReadersByOwner

READ_S = 600.0
"""A recording that is no longer is read to its end: whatever is wrong with it is found before it is accepted."""
_SMALL_BYTES = 1 << 18
"""A file of this size that does not say how long it is, as those that browsers record, is taken for a short one."""


class Probe:
    """Looks at recordings, a few at a time. Their bytes are read by decoder children.

    Args:
        at_once: How many at the same time; the others wait.
        limit_s: Seconds for one recording.
        readers: Decoder children that may wait for an owner's next recording; made, and closed, here if not given.
        ready: Whether a decoder child that has seen no recording waits for the next one, once ``get_ready`` is called:
            so looking adds neither the time that one takes to start nor its memory.
    """

    def __init__(
        self,
        *,
        at_once: int = 2,
        limit_s: float = 20.0,
        readers: ReadersByOwner | None = None,
        ready: bool = False,
    ) -> None:
        self._threads = ThreadPoolExecutor(at_once, "whispercore-probe")
        self._limit_s = limit_s
        self.readers = readers if readers is not None else ReadersByOwner()
        """For the jobs that are going to read the same recordings."""
        self._own_readers = self.readers if readers is None else None
        self._looking: set[Control] = set()
        self._ready = ready
        self._getting_ready = threading.Lock()

    def get_ready(self) -> None:
        """Have a decoder child wait for the next recording, if there is to be one. Returns at once."""
        if self._ready:
            self._threads.submit(self._start_early)

    def _start_early(self) -> None:
        with self._getting_ready:
            if self._ready:  # it was not closed meanwhile
                start_early()

    def _end_early(self) -> None:
        with self._getting_ready:
            end_early()

    async def look(
        self,
        path: Path | PartFiles,
        *,
        name: str,
        owner_id: str | None = None,
        channels: Channels = "mix",
        keep_damaged: bool = False,
        vad: Vad | None = None,
        recording: Recording | None = None,
    ) -> Sound:
        """What the recording is.

        Args:
            path: Its file, or those of its parts.
            name: What errors call it.
            owner_id: Whose it is; None for a decoder child of its own.
            channels: As they are going to be transcribed.
            keep_damaged: Do not mind what is wrong with it, as long as something can be read.
            vad: How its speech is going to be found.
            recording: Is told what is read of a short one, as it is going to be read; of a long one, something else.

        Raises:
            NotMedia: It is neither audio nor video.
            NoSound: It has no audio track, or an empty one.
            TruncatedMedia: Its end is missing: by what its container says, or because it is short and was read.
            DamagedMedia: Its beginning cannot be read, or not in time, or a part of a short one.
            OSError: The file cannot be opened.
            Cancelled: ``close`` was called.
        """
        control = Control()
        self._looking.add(control)
        look = _Look(
            path=path,
            name=name,
            channels=channels,
            keep_damaged=keep_damaged,
            readers=self.readers.of(owner_id) if owner_id is not None else None,
            control=control,
            limit_s=self._limit_s,
            vad=vad if recording is not None else None,
            recording=recording,
        )
        try:
            return await asyncio.wrap_future(self._threads.submit(look.run))
        finally:
            control.cancel()
            self._looking.discard(control)
            self.get_ready()  # a child is ended with a long recording, or a bad one

    def close(self) -> None:
        """Stop looking. Returns at once."""
        for control in tuple(self._looking):
            control.cancel()  # also those that wait: their turn comes, and ends at once
        if self._ready:
            self._ready = False
            self._threads.submit(self._end_early)
        self._threads.shutdown(wait=False)
        if self._own_readers is not None:
            self._own_readers.close()


@frozen(kw_only=True, eq=False)
class _Look:
    path: Path | PartFiles
    name: str
    channels: Channels
    keep_damaged: bool
    readers: Readers | None
    control: Control
    limit_s: float
    vad: Vad | None
    recording: Recording | None

    def run(self) -> Sound:
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.control.cancel()

        timer = threading.Timer(self.limit_s, stop)
        timer.daemon = True
        timer.start()
        try:
            self.control.check()
            with Decoder(
                self.path,
                name=self.name,
                channels=self.channels,
                control=self.control,
                readers=self.readers,
                vad=self.vad,
                recording=self.recording,
            ) as decoder:
                self._check(decoder, late)
                return decoder.sound
        except Cancelled:
            if late.is_set():
                raise DamagedMedia(self.name, f"its beginning could not be read within {self.limit_s:g} s") from None
            raise
        finally:
            timer.cancel()

    def _check(self, decoder: Decoder, late: threading.Event) -> None:
        sound = decoder.sound
        parts = self.path if isinstance(self.path, PartFiles) else PartFiles((self.path,))
        with opened(parts.paths, parts.seal) as file:
            missing = missing_end(file)
        if missing is not None and not self.keep_damaged:
            raise TruncatedMedia(self.name, missing, declared_s=sound.declared_s)
        # To find the speech in it takes longer than to read it: that is worth while where it is done only here.
        windows = decoder.windows(MAX_WINDOW_S, leaves_out=self._is_short(sound))
        if next(windows, None) is None and not decoder.read_s:
            if decoder.damage is not None:
                found = missing or f"nothing of its {sound.codec} track can be decoded"
                raise DamagedMedia(self.name, found, declared_s=sound.declared_s)
            raise NoSound(self.name, f"its {sound.codec} track is empty")
        if sound.declared_s is not None and sound.declared_s > READ_S:
            return
        try:
            for window in windows:
                if window.end_s > READ_S:  # it did not say how long it is, or not the truth
                    return
        except Cancelled:
            if late.is_set():
                return  # slow, but nothing is wrong so far
            raise
        if decoder.damage is not None and not self.keep_damaged:
            raise decoder.incomplete()

    def _is_short(self, sound: Sound) -> bool:
        if sound.declared_s is not None:
            return sound.declared_s <= LONGEST_S
        paths = self.path.paths if isinstance(self.path, PartFiles) else (self.path,)
        return sum(path.stat().st_size for path in paths) <= _SMALL_BYTES
