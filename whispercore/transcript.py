"""What was said: words, segments and the whole transcript.

All times are seconds from the beginning of the recording.
"""

from __future__ import annotations

from attrs import field, frozen

from whispercore.languages import joined


@frozen(kw_only=True)
class Word:
    """One word."""

    text: str
    start_s: float
    end_s: float
    confidence: float | None = None
    """Mean probability of its tokens, 0 to 1."""
    speaker: str | None = None


@frozen(kw_only=True)
class Segment:
    """A phrase or sentence, as the model cut it."""

    text: str
    start_s: float
    end_s: float
    words: tuple[Word, ...] = ()
    """Filled when words were asked for."""
    confidence: float | None = None
    """Mean probability of its tokens, 0 to 1."""
    speaker: str | None = None
    channel: int | None = None
    """The channel it was said on, from 0, when channels were kept apart."""


@frozen(kw_only=True)
class Damage:
    """Why a transcript does not cover the whole recording."""

    kind: str
    """The ``code`` of the error: ``truncated_media`` or ``damaged_media``."""
    found: str
    read_s: float
    declared_s: float | None = None


@frozen(kw_only=True)
class Fingerprint:
    """What the text depends on beside the sound and the options.

    Two runs with equal fingerprints, options and sound give the same transcript, to the letter.
    """

    engine: str
    """Name and build, for instance ``whisper-cpp 1.8.5``."""
    model_sha256: str
    device: str
    threads: int
    repeatable: bool = True
    """False when this engine cannot promise it for temperatures above 0."""
    cutter: int | None = None
    """Version of the rules by which recordings are cut into windows; set in transcripts."""
    window_s: float | None = None
    """Length of the longest window; set in transcripts."""


@frozen(kw_only=True)
class Transcript:
    """All that was said in one recording."""

    segments: tuple[Segment, ...]
    language: str
    """Code of ISO 639-1, for instance ``en``."""
    language_probability: float | None = None
    """0 to 1; None when the language was given by the caller."""
    duration_s: float
    """Length of the sound that was read."""
    model: str
    fingerprint: Fingerprint
    """What decoded it, or the last part of it."""
    earlier_fingerprints: tuple[Fingerprint, ...] = ()
    """What decoded other parts of it: an engine of before an update, when a job was broken off and went on."""
    damage: Damage | None = field(default=None)
    """Set when the recording could not be read to its end."""

    @property
    def text(self) -> str:
        """The whole text in one line."""
        return joined((segment.text for segment in self.segments), self.language)

    @property
    def words(self) -> tuple[Word, ...]:
        """The words of all segments; empty unless words were asked for."""
        return tuple(word for segment in self.segments for word in segment.words)

    @property
    def confidence(self) -> float | None:
        """Mean probability of what was said, 0 to 1: that of the segments, each counted by its words.

        None when nothing was said, or the engine does not tell.
        """
        known = [
            (segment.confidence, max(1, len(segment.text.split())))
            for segment in self.segments
            if segment.confidence is not None
        ]
        weight = sum(words for _, words in known)
        return sum(value * words for value, words in known) / weight if weight else None

    def to(self, format: str) -> str:  # noqa: A002
        """The transcript in a format of ``whispercore.formats.FORMATS``, by its name.

        Raises:
            InvalidOption: No format has this name.
        """
        from whispercore.formats import write  # noqa: PLC0415 (a cycle: formats write transcripts)

        return write(self, format)

    def to_txt(self) -> str:
        """One segment on a line."""
        return self.to("txt")

    def to_srt(self) -> str:
        """SubRip subtitles."""
        return self.to("srt")

    def to_vtt(self) -> str:
        """WebVTT subtitles (W3C)."""
        return self.to("vtt")

    def to_json(self) -> str:
        """All fields, as JSON; ``whispercore.formats.json.read`` is the way back."""
        return self.to("json")

    def to_tsv(self) -> str:
        """Tab-separated start and end in milliseconds, and text."""
        return self.to("tsv")
