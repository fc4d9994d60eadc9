"""The whole of ``whispercore transcribe``, from its options to its exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from whispercore.errors import WhispercoreError
from whispercore.transcript import Transcript
from whispercore_server.cli import format_options
from whispercore_server.cli.bars import Bars
from whispercore_server.cli.exits import ExitCode
from whispercore_server.cli.terminal import Screen
from whispercore_server.cli.transcribe import inputs, outputs
from whispercore_server.cli.transcribe.inputs import Pipe, Recording
from whispercore_server.cli.transcribe.jobs import Job, running
from whispercore_server.cli.transcribe.outputs import Target
from whispercore_server.cli.transcribe.place import Place
from whispercore_server.cli.transcribe.printing import Printer
from whispercore_server.cli.transcribe.telling import Teller

_STDOUT = (Path("-"), Path("/dev/stdout"))


@frozen(kw_only=True)
class Request:
    """What the command line asks for."""

    files: Sequence[Path]
    formats: Sequence[str] | None
    output: Path | None
    option_texts: Sequence[str] | None
    """Of formats, as ``NAME=VALUE``."""
    quiet: bool
    place: Place


def run(request: Request) -> ExitCode:
    """Transcribe all files; the exit code is that of the first that failed.

    Raises:
        InvalidOption: An option makes no sense, for whatever file.
        ModelError: The model cannot be had or used.
        RequestError: The server cannot be used.
    """
    output = None if request.output in _STDOUT else request.output
    recordings = inputs.opened(request.files)
    formats = outputs.chosen(request.formats, output)
    options = format_options.options(request.option_texts, formats)
    if output is None:
        outputs.needs_file(formats)
    planned = outputs.plan(recordings, output, formats, options) if output is not None else [()] * len(recordings)
    screen = Screen(bars=not request.quiet)
    bars = Bars(screen.console)
    jobs = [_job(request.place, *pair, bars) for pair in zip(recordings, planned, strict=True)]
    running_jobs = [job for job in jobs if job is not None]
    if running_jobs:
        request.place.prepare(screen)
    printer = None
    if output is None:
        only = formats[0]
        printer = Printer(screen=screen, format=only, options=options[only], titles=len(recordings) > 1)
    teller = Teller(screen, quiet=request.quiet, looks_first=request.place.looks_first)
    with bars, running(running_jobs):
        codes = [
            _delivered(recording, job, targets, printer, teller)
            for recording, job, targets in zip(recordings, jobs, planned, strict=True)
        ]
    return next(filter(None, codes), ExitCode.OK)


def _job(place: Place, recording: Recording, targets: tuple[Target, ...], bars: Bars) -> Job | None:
    if recording.audio is None:
        return None
    bar = bars.bar(recording.label)

    def keep(transcript: Transcript) -> None:
        failed: WhispercoreError | None = None
        for target in targets:
            try:
                target.write(transcript)
            except WhispercoreError as error:  # one format that cannot hold it costs no other one
                failed = failed or error
        if failed is not None:
            raise failed

    return Job(
        work=place.start(recording, recording.audio, bar),
        keep=keep,
        over=bar.remove if bar else _nothing,
        stop=recording.audio.stop if isinstance(recording.audio, Pipe) else _nothing,
    )


def _nothing() -> None:
    pass


def _delivered(
    recording: Recording, job: Job | None, targets: tuple[Target, ...], printer: Printer | None, teller: Teller
) -> ExitCode:
    """Wait for one recording, and print and tell what there is of it."""
    if job is None:
        return teller.failed(recording, recording.error or OSError("it cannot be opened"))
    if printer is not None:
        printer.begin(recording.label)
    for segment in job.segments():
        if printer is not None:
            printer.segment(segment)
    match job.outcome:
        case Transcript() as transcript:
            if printer is not None:
                printer.finish(transcript)
            teller.done(recording, transcript, [target.path for target in targets])
            return ExitCode.OK
        case BaseException() as error:
            return teller.failed(recording, error)
        case None:
            raise AssertionError("a job ends with an outcome")
