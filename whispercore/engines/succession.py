"""The engine that computes a recording, and those that come next where it is away."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future

from attrs import define, field

from whispercore.engines.engine import Decoded, Engine
from whispercore.engines.pool import Lease
from whispercore.errors import EngineError, InvalidOption, ModelDamaged, WhispercoreError
from whispercore.models.store import ModelFile
from whispercore.transcript import Fallback, Segment

_log = logging.getLogger(__name__)


@define(kw_only=True, eq=False)
class Succession:
    """Models in the order in which they are tried; the first one alone where nobody allowed another.

    Only what fails to load or is away is passed over, and what was passed over does not come back: not in this run,
    and not in one that goes on from its checkpoints.
    """

    models: Sequence[ModelFile]
    """Each with its engine."""
    leased: Callable[[ModelFile], Lease]
    """The right to use one; loading begins then."""
    on_pass: Callable[[tuple[Fallback, ...]], None]
    """Keeps what was passed over before the next one computes anything."""
    passed: tuple[Fallback, ...] = ()
    """What was passed over so far, by earlier runs too."""
    lease: Lease = field(init=False)
    _gives_words: bool = field(default=False, init=False)
    """Whether the one whose turn it is has given any."""

    @property
    def model(self) -> ModelFile:
        """The one whose turn it is."""
        return self.models[len(self.passed)]

    def begin(self) -> None:
        """Have it loaded, in the background.

        Raises:
            WhispercoreError: It cannot be, and nothing comes after it.
        """
        while True:
            try:
                self.lease = self.leased(self.model)
            except WhispercoreError as error:
                self._pass(error)
            else:
                return

    def loaded(
        self, wait: Callable[[Future[Engine]], Generator[list[Segment], None, Engine]]
    ) -> Generator[list[Segment], None, Engine]:
        """Steps until one is loaded, and that one.

        Raises:
            WhispercoreError: None could be; the error is that of the last one.
        """
        while True:
            try:
                return (yield from wait(self.lease.ready()))
            except (EngineError, ModelDamaged) as error:
                self.fall_back(error)

    def fall_back(self, error: WhispercoreError) -> None:
        """The one whose turn it is cannot go on: have the next one loaded.

        Raises:
            WhispercoreError: Nothing comes after it: the error.
        """
        self._pass(error)
        self.begin()

    def check_words(self, decoded: Decoded) -> None:
        """Whether words come that were asked for: what a server gives is known only once it was asked.

        Raises:
            InvalidOption: There is text, and there was no word yet.
        """
        self._gives_words |= any(one.words for one in decoded.segments)
        if not self._gives_words and any(one.text for one in decoded.segments):
            raise InvalidOption("words", f"the engine {self.model.engine} gives none with this model")

    def _pass(self, error: WhispercoreError) -> None:
        gone = self.model
        if len(self.passed) + 1 >= len(self.models):
            raise error
        self._gives_words = False
        self.passed = (*self.passed, Fallback(model=gone.name, engine=gone.engine, reason=str(error)))
        self.on_pass(self.passed)
        _log.warning("%s cannot be used, %s goes on: %s", self.passed[-1].full_name, self.model.name, error)
