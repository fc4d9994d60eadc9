"""Sentences and paragraphs: what was said, cut where people would cut it and not where the model did."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from whispercore.languages import joined

if TYPE_CHECKING:
    from whispercore.transcript import Segment

PAUSE_S: Final = 2.0
"""Whoever is silent for so long has ended his sentence, whether there is a full stop or not, and his paragraph."""
LONG: Final = 600
"""A paragraph of so many characters ends with its sentence, and a sentence without a full stop with its segment."""

_ENDS: Final = "!?\u061f\u0964\u3002\uff01\uff1f\uff61"
"""Of Latin, Arabic, Indian and East Asian scripts; a full stop needs a closer look."""
_WIDE_END: Final = re.compile("[\u3002\uff01\uff1f\uff61]+[\u2019\u201d\u300d\u300f\uff09]*")
"""Scripts without spaces go on right behind it, or behind what it closes."""
_AROUND: Final = frozenset({"Ps", "Pe", "Pi", "Pf"})
"""Categories of brackets and of quotation marks, but for the straight ones."""
_SHORT: Final = re.compile(r"[^\W\d_]\.([^\W\d_]\.)*|\d+\.")
"""Initials, letters with stops between them and numbers: ``J.``, ``U.S.``, ``z.B.``, the German ``3.`` for third."""
_ABBREVIATIONS: Final = frozenset(
    (
        *("approx.", "bzw.", "ca.", "cf.", "dr.", "dra.", "evtl.", "fr.", "gen.", "gov.", "hr.", "inkl.", "lt."),
        *("mlle.", "mme.", "mr.", "mrs.", "ms.", "nr.", "pp.", "prof.", "rep.", "sen.", "sgt.", "sr.", "sra."),
        *("srta.", "st.", "vgl.", "vol.", "vs."),
    )
)
"""What stands before something, so that its stop ends no sentence. Others do, unless a small letter follows."""


@frozen(kw_only=True)
class Sentence:
    """What one person said until a full stop, a long pause or somebody else."""

    text: str
    start_s: float
    end_s: float
    speaker: str | None = None
    channel: int | None = None
    """Set when channels were kept apart."""


@frozen(kw_only=True)
class Paragraph:
    """Sentences of one person that belong together."""

    sentences: tuple[Sentence, ...]
    """At least one."""
    text: str

    @property
    def start_s(self) -> float:
        """Where the first sentence begins."""
        return self.sentences[0].start_s

    @property
    def end_s(self) -> float:
        """Where the last one to end does."""
        return max(one.end_s for one in self.sentences)

    @property
    def speaker(self) -> str | None:
        """Who said it; None when nobody knows."""
        return self.sentences[0].speaker


def sentences(segments: Iterable[Segment], language: str) -> Iterator[Sentence]:
    """What was said, sentence by sentence. Segments are cut at full stops, and put together where there is none.

    A cut inside a segment has the time of its word, where there are words for all of the text, else its share of the
    segment by length.

    Args:
        segments: In order of time.
        language: Its code: whether there is a space between segments.
    """
    begun: Sentence | None = None
    for part in (part for segment in segments for part in _parts(segment)):
        if begun is None:
            begun = part
        elif _ends(begun.text, part.text) or not _goes_on(begun, part) or len(begun.text) >= LONG:
            yield begun
            begun = part
        else:
            text = joined((begun.text, part.text), language)
            begun = evolve(begun, text=text, end_s=max(begun.end_s, part.end_s))
    if begun is not None:
        yield begun


def paragraphs(segments: Iterable[Segment], language: str) -> Iterator[Paragraph]:
    """What was said, paragraph by paragraph: one ends with its speaker, at a long pause, or when it has become long.

    Args:
        segments: In order of time.
        language: Its code: whether there is a space between sentences.
    """
    together: list[Sentence] = []
    for sentence in sentences(segments, language):
        if together and (not _goes_on(together[-1], sentence) or sum(len(one.text) for one in together) >= LONG):
            yield _paragraph(together, language)
            together = []
        together.append(sentence)
    if together:
        yield _paragraph(together, language)


def _paragraph(together: Sequence[Sentence], language: str) -> Paragraph:
    return Paragraph(sentences=tuple(together), text=joined((one.text for one in together), language))


def _goes_on(before: Sentence, after: Sentence) -> bool:
    same = (before.speaker, before.channel) == (after.speaker, after.channel)
    return same and after.start_s - before.end_s < PAUSE_S


def _parts(segment: Segment) -> Iterator[Sentence]:
    """The sentences of a segment, or pieces of them, with their times."""
    texts = _cut(segment.text)
    lengths = [len("".join(text.split())) for text in texts]
    times = _Times(segment, sum(lengths))
    done = 0
    for text, length in zip(texts, lengths, strict=True):
        start_s, end_s = times.start_s(done), times.end_s(done + length)
        done += length
        yield Sentence(
            text=text,
            start_s=start_s,
            end_s=max(start_s, end_s),
            speaker=segment.speaker,
            channel=segment.channel,
        )


class _Times:
    """When a character of a segment is said, spaces not counted."""

    def __init__(self, segment: Segment, length: int) -> None:
        self._segment = segment
        self._length = length
        said = "".join(word.text for word in segment.words)
        self._words = segment.words if "".join(said.split()) == "".join(segment.text.split()) else ()

    def start_s(self, at: int) -> float:
        """When what begins with this character begins."""
        done = 0
        for word in self._words if at else ():
            if done >= at:
                return word.start_s
            done += len("".join(word.text.split()))
        return self._share(at)

    def end_s(self, at: int) -> float:
        """When what ends before this character ends."""
        done = 0
        for word in self._words if at < self._length else ():
            done += len("".join(word.text.split()))
            if done >= at:
                return word.end_s
        return self._share(at)

    def _share(self, at: int) -> float:
        one = self._segment
        return one.start_s if at == 0 else one.start_s + (one.end_s - one.start_s) * at / self._length


def _cut(text: str) -> list[str]:
    """A text after each end of a sentence in it."""
    words = [part for word in text.split() for part in _at_wide_ends(word)]
    made: list[str] = []
    at = begin = 0
    for word, following in pairwise([*words, ""]):
        at = text.index(word, at) + len(word)
        if not following or _ends(word, following):
            made.append(text[begin:at].strip())
            begin = at
    return made


def _at_wide_ends(word: str) -> list[str]:
    """A word of a script without spaces can be several sentences."""
    borders = [0, *(match.end() for match in _WIDE_END.finditer(word)), len(word)]
    return [word[begin:end] for begin, end in pairwise(borders) if begin < end]


def _ends(text: str, following: str) -> bool:
    """Whether a sentence ends with this text, as what follows begins."""
    last = _bare(text.rsplit(maxsplit=1)[-1])
    if last.endswith(tuple(_ENDS)):
        return True
    if not last.endswith((".", "\u2026")) or _SHORT.fullmatch(last) or last.casefold() in _ABBREVIATIONS:
        return False
    first = next((character for character in following if character.isalnum()), "")
    return not first.islower()


def _bare(word: str) -> str:
    """A word without the brackets and quotation marks around it."""
    kept = [at for at, one in enumerate(word) if one not in "\"'" and unicodedata.category(one) not in _AROUND]
    return word[kept[0] : kept[-1] + 1] if kept else ""
