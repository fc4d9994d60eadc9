"""The options of ``whispercore transcribe``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from whispercore_server.cli.format_options import OptionTexts
from whispercore_server.cli.remote import ApiKey
from whispercore_server.cli.speech_options import CutLoops, Hallucinations, Language, Languages, Model, Translate
from whispercore_server.command import start_children

if TYPE_CHECKING:
    from whispercore.audio.vad import DetectorName, Vad
    from whispercore_server.cli.transcribe.place import Place
    from whispercore_server.cli.transcribe.speech import Speech

_FORMATS: Final = ("txt", "srt", "vtt", "json", "tsv", "verbose_json", "csv", "lrc", "ass", "docx", "pdf")
"""Those of ``whispercore.formats``, which is imported only when something is transcribed."""


def transcribe(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Recordings: audio or video of any common format, or - for stdin."),
    ],
    *,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "-f",
            "--format",
            metavar="FORMAT",
            help=f"What to write: {', '.join(_FORMATS)}. May be repeated.",
            autocompletion=lambda: list(_FORMATS),
            show_default="by the ending of --output, else txt",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="The file to write; a folder for several files or formats, which are called STEM.FORMAT there.",
            show_default="standard output",
        ),
    ] = None,
    option_texts: OptionTexts = None,
    words: Annotated[
        bool, typer.Option("--words", help="Find the time of each word, for formats that have them.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress bars and no warnings.")] = False,
    language: Language = None,
    languages: Languages = None,
    code_switching: Annotated[
        bool, typer.Option("--code-switching", help="Detect the language again and again: several are spoken.")
    ] = False,
    translate: Translate = False,
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", metavar="TEXT", help="Names and words to expect, as the text before."),
    ] = None,
    channels: Annotated[
        Literal["mix", "separate"],
        typer.Option("--channels", metavar="mix|separate", help="Transcribe channels together, or each by itself."),
    ] = "mix",
    diarize: Annotated[
        bool, typer.Option("--diarize", help="Tell who says what: by channel if they are separate, else by voice.")
    ] = False,
    speakers: Annotated[
        int | None,
        typer.Option(
            "--speakers",
            metavar="N",
            min=1,
            max=50,
            help="How many people speak, for --diarize by voice.",
            show_default="found out",
        ),
    ] = None,
    temperature: Annotated[
        float,
        typer.Option("--temperature", metavar="NUMBER", min=0, max=1, help="Randomness; 0 takes what is likeliest."),
    ] = 0.0,
    beam_size: Annotated[
        int,
        typer.Option("--beam-size", metavar="N", min=1, max=8, help="Hypotheses to follow; more is slower."),
    ] = 1,
    keep_damaged: Annotated[
        bool,
        typer.Option(
            "--keep-damaged",
            help="Write what can be read of a damaged recording, with a warning.",
        ),
    ] = False,
    vad: Annotated[
        bool, typer.Option("--vad/--no-vad", help="Leave out what is no speech: silence, noise and music.")
    ] = True,
    vad_detector: Annotated[
        Literal["auto", "silero", "energy"],
        typer.Option(
            "--vad-detector",
            metavar="NAME",
            help="What finds speech: silero, a small model; energy, loudness alone; auto, the model where it runs.",
        ),
    ] = "auto",
    vad_threshold: Annotated[
        float,
        typer.Option(
            "--vad-threshold", metavar="NUMBER", min=0.05, max=0.95, help="Probability from which sound is speech."
        ),
    ] = 0.5,
    vad_min_silence_s: Annotated[
        float,
        typer.Option(
            "--vad-min-silence", metavar="SECONDS", min=0.1, max=60, help="Pauses up to this length stay as they are."
        ),
    ] = 1.0,
    hallucinations: Hallucinations = "flag",
    cut_loops: CutLoops = False,
    condition_on_previous_text: Annotated[
        bool,
        typer.Option(
            "--condition-on-previous-text",
            help="Prompt each window with what was said in the one before; one is decoded at a time.",
        ),
    ] = False,
    model: Model = None,
    fallback: Annotated[
        list[str] | None,
        typer.Option(
            "--fallback",
            metavar="MODEL",
            help="A model that goes on where the one before cannot be loaded, or its engine is away; several in order.",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            metavar="N",
            min=1,
            max=256,
            help="Processor threads for each window; it changes the last digits of what is computed.",
            show_default="$WHISPERCORE_THREADS, else all cores; for several recordings half of them",
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never download a model.")] = False,
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="URL", help="Have it done by a whispercore server, with its models."),
    ] = None,
    api_key: ApiKey = None,
) -> None:
    """Write down what is said in recordings.

    Text goes to standard output, as it comes, unless --output names a file or folder. Several recordings are worked on
    at once; one that fails does not stop the others.
    """
    if server is None:
        start_children()  # unless the command line told in time
    from whispercore_server.cli.transcribe.run import Request, run  # noqa: PLC0415 - the help does without the library
    from whispercore_server.cli.transcribe.speech import Speech  # noqa: PLC0415 - as above

    speech = Speech(
        model=model,
        fallback=tuple(fallback or ()),
        language=language,
        languages=languages,
        code_switching=code_switching,
        translate=translate,
        prompt=prompt,
        temperature=temperature,
        beam_size=beam_size,
        words=words,
        channels=channels,
        diarize=diarize,
        speakers=speakers,
        keep_damaged=keep_damaged,
        vad=_vad(on=vad, detector=vad_detector, threshold=vad_threshold, min_silence_s=vad_min_silence_s),
        hallucinations=hallucinations,
        cut_loops=cut_loops,
        condition_on_previous_text=condition_on_previous_text,
    )
    if server is None:
        place = _here(speech, threads, offline=offline, several=len(files) > 1)
    else:
        place = _there(speech, server, api_key, unfit={"--threads": threads is not None, "--offline": offline})
    code = run(
        Request(files=files, formats=formats, output=output, option_texts=option_texts, quiet=quiet, place=place)
    )
    if code:
        raise typer.Exit(code)


def _vad(*, on: bool, detector: DetectorName, threshold: float, min_silence_s: float) -> Vad | None:
    from whispercore.audio.vad import Vad  # noqa: PLC0415 - the help does without it

    pad_s = min(Vad().pad_s, min_silence_s)
    return Vad(detector=detector, threshold=threshold, min_silence_s=min_silence_s, pad_s=pad_s) if on else None


def _here(speech: Speech, threads: int | None, *, offline: bool, several: bool) -> Place:
    from attrs import evolve  # noqa: PLC0415 - the help does without it

    from whispercore.settings import Settings  # noqa: PLC0415 - as above
    from whispercore_server.cli.transcribe.here import Here  # noqa: PLC0415 - as above

    settings = Settings.from_environment()
    settings = evolve(settings, offline=settings.offline or offline, throughput=settings.throughput or several)
    return Here(speech=speech, threads=threads, settings=settings)


def _there(speech: Speech, url: str, api_key: str | None, unfit: Mapping[str, bool]) -> Place:
    from whispercore.errors import InvalidOption  # noqa: PLC0415 - the help does without it
    from whispercore_server.cli.transcribe.there import There  # noqa: PLC0415 - as above

    for option, given in unfit.items():
        if given:
            raise InvalidOption(option, "it is for this machine, and --server leaves the work to another one")
    return There.of(speech, url, api_key)
