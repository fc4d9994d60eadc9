import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from whispercore import errors
from whispercore_server.cli import app
from whispercore_server.cli.exits import ExitCode, Group, exit_code
from whispercore_server.cli.terminal import printable

from .conftest import COMMAND, Run


def test_help() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: whispercore [OPTIONS] COMMAND [ARGS]...")
    for command in ("transcribe", "models", "doctor"):
        assert f"\n  {command} " in result.stdout
    for code in ExitCode:
        assert code is ExitCode.BROKEN_PIPE or f"\n    {code.value} " in result.stdout


def test_no_arguments_is_a_call_for_help() -> None:
    result = CliRunner().invoke(app, [])
    assert result.exit_code == ExitCode.USAGE
    assert "Usage: whispercore" in result.output


def test_help_of_transcribe() -> None:
    text = CliRunner().invoke(app, ["transcribe", "-h"]).stdout
    for option in (
        "-m, --model MODEL",
        "--fallback MODEL",
        "-f, --format FORMAT",
        "-o, --output PATH",
        "-O, --option NAME=VALUE",
        "-l, --language LANGUAGE",
        "--languages LANGUAGES",
        "--code-switching",
        "--translate",
        "--words",
        "--prompt TEXT",
        "--temperature NUMBER",
        "--beam-size N",
        "--threads N",
        "--channels mix|separate",
        "--diarize",
        "--speakers N",
        "--keep-damaged",
        "--vad / --no-vad",
        "--vad-detector NAME",
        "--vad-threshold NUMBER",
        "--vad-min-silence SECONDS",
        "--hallucinations POLICY",
        "--cut-loops",
        "--condition-on-previous-text",
        "--offline",
        "-q, --quiet",
    ):
        assert f"\n  {option} " in text
    assert "Exit codes:" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_formats_in_the_help_are_those_of_the_library() -> None:
    from whispercore.formats import FORMATS
    from whispercore_server.cli.transcribe import command

    assert tuple(FORMATS) == command._FORMATS


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"whispercore {version('whispercore')}\n")


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['whispercore', '--help']\n"
        "from whispercore_server.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'av', 'aiohttp', 'rich', 'attrs', 'whispercore.transcription'} & set(sys.modules)\n"
        "print(heavy, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert result.stderr == b"set()\n"


def test_console_script(run: Run) -> None:
    script = Path(COMMAND[0]).with_name("whispercore")
    if not script.exists():
        pytest.skip("whispercore is not installed beside this Python")
    assert subprocess.run([script, "--version"], capture_output=True, check=True).stdout == run("--version").stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidOption("a", "b"), 2),
        (errors.NotMedia("a", "b"), 3),
        (errors.TruncatedMedia("a", "b"), 3),
        (errors.UnknownModel("a"), 4),
        (errors.DownloadFailed("a", "b"), 4),
        (errors.EngineCrashed("a"), 1),
        (errors.EngineMissing("a"), 1),
        (errors.Cancelled(), 130),
        (KeyboardInterrupt(), 130),
        (OSError(28, "full"), 1),
    ],
)
def test_exit_codes(error: BaseException, code: int) -> None:
    assert exit_code(error) == code

    def fail() -> None:
        raise error

    one = typer.Typer(cls=Group, pretty_exceptions_enable=False)
    one.command("fail")(fail)
    one.callback()(lambda: None)
    result = CliRunner().invoke(one, ["fail"])
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("cancelled" if isinstance(error, KeyboardInterrupt) else "error: ")


def test_errors_of_the_program_keep_their_traceback() -> None:
    one = typer.Typer(cls=Group, pretty_exceptions_enable=False)
    one.command("fail")(lambda: 1 // 0)
    one.callback()(lambda: None)
    assert isinstance(CliRunner().invoke(one, ["fail"]).exception, ZeroDivisionError)


def test_text_of_others_is_not_markup_and_moves_no_cursor(run: Run) -> None:
    result = run("transcribe", "[bold]x[/bold]\x1b[2J\n.wav", "-m", "micro")
    assert result.returncode == 3
    assert result.stderr == b"error: [bold]x[/bold]\\x1b[2J\\n.wav: No such file or directory\n"


def test_printable() -> None:
    assert printable("naïve 日本\u00a0x") == "naïve 日本\u00a0x"
    assert printable("\t\udc80\u202e") == "\\t\\udc80\\u202e"


def test_models_through_the_main_command() -> None:
    result = CliRunner().invoke(app, ["models", "rm", "nothing"])
    assert result.exit_code == ExitCode.NO_MODEL
    assert result.stderr.startswith("error: no model is called 'nothing'.")
    assert "micro" in CliRunner().invoke(app, ["models", "list"]).stdout


def test_broken_pipe_in_a_table(run: Run) -> None:
    import os

    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run([*COMMAND, "models", "list"], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (process.returncode, process.stderr) == (ExitCode.BROKEN_PIPE, b"")
