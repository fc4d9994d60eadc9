"""The options of ``whispercore listen``, and what it writes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from whispercore_server.cli.remote import ApiKey
from whispercore_server.cli.speech_options import CutLoops, Hallucinations, Language, Languages, Model, Translate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from whispercore.live.events import LiveEvent
    from whispercore_server.cli.listen.sources import Source

_CLEAR_LINE: Final = "\r\x1b[2K"


def listen(
    *,
    microphone: Annotated[
        bool, typer.Option("--microphone", help="Listen to the microphone; else to standard input.")
    ] = False,
    model: Model = None,
    language: Language = None,
    languages: Languages = None,
    translate: Translate = False,
    hallucinations: Hallucinations = "flag",
    cut_loops: CutLoops = False,
    rate: Annotated[
        int,
        typer.Option("--rate", metavar="HZ", min=8000, max=192_000, help="Samples per second of bare ones."),
    ] = 16_000,
    json_lines: Annotated[bool, typer.Option("--json", help="Write each event as a line of JSON.")] = False,
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="URL", envvar="WHISPERCORE_SERVER", help="Have a server listen."),
    ] = None,
    api_key: ApiKey = None,
) -> None:
    """Transcribe what is spoken, while it is spoken.

    Standard input is a WAV of 16-bit samples, bare ones of one channel, or Opus in Ogg or WebM. Each final segment is a
    line; on a terminal the text so far is shown below. Ctrl-C ends the microphone; what was said until then is written
    to its end.
    """
    import asyncio  # noqa: PLC0415 - the help does without it

    from whispercore_server.cli.listen.speech import Speech  # noqa: PLC0415 - as above
    from whispercore_server.cli.remote import asking_for_a_key  # noqa: PLC0415 - as above

    async def run() -> None:
        source = await _source(microphone=microphone, rate=rate)
        speech = Speech(
            model=model,
            language=language,
            languages=languages,
            translate=translate,
            hallucinations=hallucinations,
            cut_loops=cut_loops,
        )
        if server is not None:
            from whispercore_server.cli.listen.there import events_there  # noqa: PLC0415 - as above

            events = events_there(source, server, api_key, speech)
        else:
            from whispercore.live import live  # noqa: PLC0415 - as above

            events = live(
                source.frames,
                model=speech.model,
                language=speech.language,
                languages=speech.languages or (),
                translate=speech.translate,
                hallucinations=speech.hallucinations,
                cut_loops=speech.cut_loops,
                sample_rate=source.sample_rate,
                encoding=source.encoding,
            )
        await (_write_json(events) if json_lines else _write(events))

    with asking_for_a_key(has_key=bool(api_key) or server is None):
        asyncio.run(run())


async def _source(*, microphone: bool, rate: int) -> Source:
    import asyncio  # noqa: PLC0415 - the help does without it
    import signal  # noqa: PLC0415 - as above

    from whispercore_server.cli.listen import sources  # noqa: PLC0415 - as above

    if not microphone:
        return await sources.from_stdin(rate)
    until = asyncio.Event()
    source = sources.microphone(until)
    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, until.set)
    return source


async def _write(events: AsyncIterator[LiveEvent]) -> None:
    """Final segments as lines; on a terminal the text so far, which the next one takes the place of."""
    from whispercore.live.events import FinalSegment, PartialText  # noqa: PLC0415 - the help does without it
    from whispercore_server.cli.terminal import printable  # noqa: PLC0415 - as above

    shows_partials, shown = sys.stdout.isatty(), False
    async for event in events:
        if isinstance(event, FinalSegment):
            sys.stdout.write(f"{_CLEAR_LINE if shown else ''}{printable(event.segment.text.strip())}\n")
            shown = False
        elif isinstance(event, PartialText) and shows_partials:
            sys.stdout.write(_CLEAR_LINE + printable(_fitting(event.text)))
            shown = True
        sys.stdout.flush()


def _fitting(text: str) -> str:
    """The end of a text that is longer than a line of the terminal."""
    import shutil  # noqa: PLC0415 - the help does without it

    width = shutil.get_terminal_size().columns - 1
    return text if len(text) <= width else f"…{text[1 - width :]}"


async def _write_json(events: AsyncIterator[LiveEvent]) -> None:
    import json  # noqa: PLC0415 - the help does without it
    import re  # noqa: PLC0415 - as above

    from attrs import asdict  # noqa: PLC0415 - as above

    async for event in events:
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(event).__name__).lower()
        sys.stdout.write(json.dumps({"type": kind, **asdict(event)}, ensure_ascii=False) + "\n")
        sys.stdout.flush()
