"""How speech is written down, as ``transcribe`` and ``listen`` are both asked."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Model = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="MODEL",
        help="A name of `whispercore models list`, or a path.",
        show_default="$WHISPERCORE_MODEL, else small",
    ),
]
Language = Annotated[
    str | None,
    typer.Option(
        "-l",
        "--language",
        metavar="LANGUAGE",
        help="What is spoken: a code or an English name.",
        show_default="detected",
    ),
]
Languages = Annotated[
    str | None,
    typer.Option(
        "--languages",
        metavar="LANGUAGES",
        help="The only ones that are detected, with commas between.",
        show_default="all",
    ),
]
Translate = Annotated[bool, typer.Option("--translate", help="Write English, whatever is spoken.")]
Hallucinations = Annotated[
    Literal["keep", "flag", "drop"],
    typer.Option(
        "--hallucinations",
        metavar="POLICY",
        help="Text that seems made up: keep it, flag it in what tells the quality, or drop it.",
    ),
]
CutLoops = Annotated[
    bool, typer.Option("--cut-loops", help="Cut phrases that are repeated again and again to the first.")
]
