"""How the command line ends: the exit codes, and the one place where errors become messages."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from whispercore.errors import WhispercoreError


class ExitCode(IntEnum):
    """What the exit codes mean."""

    OK = 0
    FAILED = 1
    """The computation failed, or its result could not be written."""
    USAGE = 2
    """The command line makes no sense; typer uses this number too."""
    UNREADABLE = 3
    """The recording cannot be read, or not to its end."""
    NO_MODEL = 4
    CANCELLED = 130
    """128 + SIGINT, as shells have it."""
    BROKEN_PIPE = 141
    """128 + SIGPIPE: whoever read our output has closed it."""


EXIT_CODES: Final = """\b
Exit codes:
  0    done
  1    the computation failed, or its result cannot be written
  2    wrong usage
  3    a recording cannot be read, or not to its end
  4    the model cannot be had
  130  cancelled with Ctrl-C
"""
"""For the end of help texts."""


def exit_code(error: BaseException) -> ExitCode:
    """The exit code for an error, wherever it came from.

    An ``OSError`` on a recording is for whoever opened it to tell apart; here it is one of the machine.
    """
    from whispercore.errors import (  # noqa: PLC0415 - for errors only
        Cancelled,
        InvalidOption,
        InvalidRequest,
        JobFailed,
        MediaError,
        ModelError,
    )

    match error:
        case JobFailed():
            return _exit_code_of(error.failure_reason)
        case InvalidOption() | InvalidRequest():
            return ExitCode.USAGE
        case MediaError():
            return ExitCode.UNREADABLE
        case ModelError():
            return ExitCode.NO_MODEL
        case Cancelled() | KeyboardInterrupt():
            return ExitCode.CANCELLED
        case _:
            return ExitCode.FAILED


def _exit_code_of(reason: str | None) -> ExitCode:
    """The exit code for an error of which a server tells the code only."""
    from whispercore import errors  # noqa: PLC0415 - for errors only

    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type))
    kind = next((kind for kind in kinds if getattr(kind, "code", None) == reason), None)
    if kind is not None and issubclass(kind, errors.MediaError):
        return ExitCode.UNREADABLE
    if kind is not None and issubclass(kind, errors.ModelError):
        return ExitCode.NO_MODEL
    return ExitCode.FAILED


class Group(TyperGroup):
    """All commands, with one boundary around them that turns errors into messages and exit codes."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        with boundary():
            return super().invoke(ctx)


@contextmanager
def boundary() -> Iterator[None]:
    """Errors that people can do something about get one line on stderr; those of the program keep their traceback.

    Raises:
        typer.Exit: In place of every error that was told.
    """
    from whispercore.errors import WhispercoreError  # noqa: PLC0415 - the help does without it

    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt as error:
        typer.echo("cancelled", err=True)
        raise typer.Exit(exit_code(error)) from None
    except BrokenPipeError:
        drop_stdout()
        raise typer.Exit(ExitCode.BROKEN_PIPE) from None
    except (WhispercoreError, OSError) as error:
        from whispercore_server.cli.terminal import complain  # noqa: PLC0415 - rich, for errors only

        complain("error", _words(error))
        _drop_what_cannot_be_written()
        raise typer.Exit(exit_code(error)) from None


def drop_stdout() -> None:
    """Send what is still to be flushed nowhere, or Python complains about it on its way out."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _drop_what_cannot_be_written() -> None:
    try:
        sys.stdout.flush()
    except OSError:  # the disk is full, for instance, and that was told
        drop_stdout()


def _words(error: WhispercoreError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
