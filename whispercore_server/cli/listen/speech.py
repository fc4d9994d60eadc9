"""How sound is to be transcribed, wherever that is done."""

from __future__ import annotations

from attrs import frozen

from whispercore.hallucinations import Policy


@frozen(kw_only=True)
class Speech:
    """The options that speak of speech, as the command line has them."""

    model: str | None = None
    language: str | None = None
    languages: str | None = None
    """With commas between."""
    translate: bool = False
    hallucinations: Policy = "flag"
    cut_loops: bool = False
