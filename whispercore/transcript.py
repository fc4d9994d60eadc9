"""What was said: words, segments and the whole transcript.

All times are seconds from the beginning of the recording.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from attrs import field, frozen

from whispercore.languages import joined
from whispercore.quality import Quality, Verdict
from whispercore.sentences import Paragraph, Sentence, paragraphs, sentences
from whispercore.spoken import LikelyLanguage, SpokenLanguage, spoken_languages

if TYPE_CHECKING:
    from whispercore.formats.options import (
        AssOptions,
        CueOptions,
        DocumentOptions,
        JsonOptions,
        LyricsOptions,
        PdfOptions,
        TableOptions,
        TextOptions,
        VttOptions,
    )

TextFormat = Literal["txt", "srt", "vtt", "json", "tsv", "verbose_json", "csv", "lrc", "ass"]
FileFormat = Literal["docx", "pdf"]
WordTimes = Literal["dtw", "tokens"]
"""Where times of words are from: words aligned with the sound (dynamic time warping), or the engine's timestamps."""


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
    """Filled when words were asked for. In order, inside the segment, and none begins before the last one ended.

    With whisper.cpp they are aligned with the sound, or lie half-way between the times of tokens and the word's share
    of the segment by length: ``Fingerprint.word_times`` tells which.
    """
    confidence: float | None = None
    """Mean probability of its tokens, 0 to 1."""
    speaker: str | None = None
    channel: int | None = None
    """The channel it was said on, from 0, when channels were kept apart."""
    quality: Quality | None = None
    """How far it can be believed; None where somebody has written it, or the engine does not tell."""
    language: str | None = None
    """Code of what is spoken in it; set when languages were told apart (``code_switching``)."""
    language_probability: float | None = None
    """0 to 1, of the window that it is from."""


@frozen(kw_only=True)
class Dropped:
    """Where text was left out that the model seems to have made up: the policy ``drop``."""

    start_s: float
    end_s: float
    channel: int | None = None
    """As in ``Segment``."""
    verdict: Verdict
    """Why: ``no_speech`` or ``repetitive``."""


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
    vad: str | None = None
    """What found the speech, for instance ``silero 6.2.0``; None where nothing was left out."""
    short_audio_context: bool = False
    """Whether short windows were allowed to be encoded in less than 30 s of context."""
    word_times: WordTimes | None = None
    """How words got their times; None where they were not asked for, or the engine does not tell."""
    alignment_failed: bool = False
    """Whether words were to be aligned with the sound, and could not be: there was no memory, or it went wrong."""


@frozen(kw_only=True)
class Fallback:
    """A model that was to transcribe, and could not: another one did."""

    model: str
    engine: str
    """That was to compute it, for instance ``openai``."""
    reason: str
    """Why it could not: a sentence for people."""

    @property
    def full_name(self) -> str:
        """``ENGINE:MODEL``."""
        prefix = f"{self.engine}:"
        return self.model if self.model.startswith(prefix) else prefix + self.model


@frozen(kw_only=True)
class Speaker:
    """Somebody who speaks in a transcript."""

    name: str
    """As it is in ``Segment.speaker``."""
    segments: tuple[int, ...]
    """Places of his segments, from 0."""
    speaks_s: float
    """Length of them all, in seconds."""


@frozen(kw_only=True)
class Transcript:
    """All that was said in one recording."""

    segments: tuple[Segment, ...]
    language: str
    """Code of ISO 639-1, for instance ``en``; of several, the one that is spoken longest."""
    language_probability: float | None = None
    """0 to 1; None when the language was given by the caller."""
    duration_s: float
    """Length of the sound that was read."""
    model: str
    fingerprint: Fingerprint
    """What decoded it, or the last part of it."""
    earlier_fingerprints: tuple[Fingerprint, ...] = ()
    """What decoded other parts of it: an engine of before an update, when a job was broken off and went on."""
    fallback_from: tuple[Fallback, ...] = ()
    """What was to transcribe it before, in order; empty unless a fallback was allowed, and needed."""
    damage: Damage | None = field(default=None)
    """Set when the recording could not be read to its end."""
    dropped: tuple[Dropped, ...] = ()
    """What was left out as made up, in order of time; empty unless the policy is ``drop``."""
    likely_languages: tuple[LikelyLanguage, ...] = ()
    """What was heard when the language was detected: up to five, the likeliest first; empty where it was given."""

    @property
    def text(self) -> str:
        """The whole text in one line."""
        return joined((segment.text for segment in self.segments), self.language)

    @property
    def engine(self) -> str:
        """Name of the engine that computed it, or the last part of it: ``whisper-cpp``, for instance."""
        return self.fingerprint.engine.partition(" ")[0]

    @property
    def is_as_asked(self) -> bool:
        """Whether all was computed as it was to be: by the first model, and words aligned where that was wanted."""
        computed = (self.fingerprint, *self.earlier_fingerprints)
        return not self.fallback_from and not any(one.alignment_failed for one in computed)

    @property
    def no_speech(self) -> bool:
        """Whether nobody says anything, or nothing that was not dropped."""
        return not self.segments

    @property
    def words(self) -> tuple[Word, ...]:
        """The words of all segments; empty unless words were asked for."""
        return tuple(word for segment in self.segments for word in segment.words)

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """What was said, cut at full stops, long pauses and changes of the speaker."""
        return tuple(sentences(self.segments, self.language))

    @property
    def paragraphs(self) -> tuple[Paragraph, ...]:
        """Its sentences in paragraphs, cut at changes of the speaker, at long pauses, and where one becomes long."""
        return tuple(paragraphs(self.segments, self.language))

    @property
    def speakers(self) -> tuple[Speaker, ...]:
        """Those who speak, in the order in which they begin; empty unless speakers were asked for, or named since."""
        places: dict[str, list[int]] = {}
        for place, segment in enumerate(self.segments):
            if segment.speaker is not None:
                places.setdefault(segment.speaker, []).append(place)
        return tuple(
            Speaker(
                name=name,
                segments=tuple(his),
                speaks_s=round(sum(self.segments[place].end_s - self.segments[place].start_s for place in his), 3),
            )
            for name, his in places.items()
        )

    @property
    def languages(self) -> tuple[SpokenLanguage, ...]:
        """Those that are spoken, the longest first; empty unless they were told apart (``code_switching``)."""
        return spoken_languages(self.segments)

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

    @overload
    def to(self, format: TextFormat, options: object = None) -> str: ...
    @overload
    def to(self, format: FileFormat, options: object = None) -> bytes: ...
    @overload
    def to(self, format: str, options: object = None) -> str | bytes: ...
    def to(self, format: str, options: object = None) -> str | bytes:  # noqa: A002
        """The transcript in a format of ``whispercore.formats.FORMATS``: text, or the bytes of a file.

        Args:
            format: Its name.
            options: An object of its class of options, see ``whispercore.formats``; None for the defaults.

        Raises:
            InvalidOption: No format has this name, the options are those of another one, what it is written with is
                not installed, or it cannot hold this transcript.
        """
        from whispercore.formats import write  # noqa: PLC0415 (a cycle: formats write transcripts)

        return write(self, format, options)

    def to_bytes(self, format: str, options: object = None) -> bytes:  # noqa: A002
        """What a file in this format holds: text is in UTF-8.

        Args:
            format: As for ``to``.
            options: As for ``to``.

        Raises:
            InvalidOption: As for ``to``.
        """
        written = self.to(format, options)
        return written.encode() if isinstance(written, str) else written

    def to_txt(self, options: TextOptions | None = None) -> str:
        """One segment on a line; with times, or by speaker, as options say."""
        return self.to("txt", options)

    def to_srt(self, options: CueOptions | None = None) -> str:
        """SubRip subtitles."""
        return self.to("srt", options)

    def to_vtt(self, options: VttOptions | None = None) -> str:
        """WebVTT subtitles (W3C)."""
        return self.to("vtt", options)

    def to_json(self, options: JsonOptions | None = None) -> str:
        """All fields, as JSON; ``whispercore.formats.json.read`` is the way back."""
        return self.to("json", options)

    def to_verbose_json(self) -> str:
        """JSON with the names that OpenAI's ``verbose_json`` has."""
        return self.to("verbose_json")

    def to_tsv(self) -> str:
        """Tab-separated start and end in milliseconds, and text."""
        return self.to("tsv")

    def to_csv(self, options: TableOptions | None = None) -> str:
        """Comma-separated start and end in seconds, speaker, confidence and text (RFC 4180)."""
        return self.to("csv", options)

    def to_lrc(self, options: LyricsOptions | None = None) -> str:
        """Lyrics."""
        return self.to("lrc", options)

    def to_ass(self, options: AssOptions | None = None) -> str:
        """Advanced SubStation Alpha.

        Raises:
            InvalidOption: It goes on for ten hours or more, for which the format has no times.
        """
        return self.to("ass", options)

    def to_docx(self, options: DocumentOptions | None = None) -> bytes:
        """A Word document.

        Raises:
            InvalidOption: The extra ``documents`` is not installed.
        """
        return self.to("docx", options)

    def to_pdf(self, options: PdfOptions | None = None) -> bytes:
        """A PDF document.

        Raises:
            InvalidOption: The extra ``documents`` is not installed, or no font has a character of the text.
        """
        return self.to("pdf", options)
