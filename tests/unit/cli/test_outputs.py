import os
import stat
from pathlib import Path

import pytest

from whispercore.errors import InvalidOption
from whispercore.transcript import Fingerprint, Segment, Transcript
from whispercore_server.cli.format_options import options
from whispercore_server.cli.transcribe.inputs import Recording, opened
from whispercore_server.cli.transcribe.outputs import OutputError, Target, chosen, needs_file, plan

TRANSCRIPT = Transcript(
    segments=(Segment(text="grüße", start_s=0.0, end_s=1.0),),
    language="de",
    duration_s=1.0,
    model="micro",
    fingerprint=Fingerprint(engine="e", model_sha256="0", device="cpu", threads=1),
)


def recordings(*names: str) -> list[Recording]:
    return [Recording(label=name, path=Path(name), audio=Path(name)) for name in names]


def names(folder: Path, *inputs: str, formats: tuple[str, ...] = ("txt",)) -> list[list[str]]:
    planned = plan(recordings(*inputs), folder, formats)
    return [[str(target.path.relative_to(folder)) for target in targets] for targets in planned]


def test_one_file_is_called_as_asked(tmp_path: Path) -> None:
    wanted = tmp_path / "new" / "folder" / "any.name"
    assert plan(recordings("a.wav"), wanted, ["srt"]) == [(Target(wanted, "srt"),)]
    assert wanted.parent.is_dir()


def test_folders(tmp_path: Path) -> None:
    assert names(tmp_path, "x/a.wav") == [["a.txt"]]
    assert names(tmp_path / "new", "a.wav", "b.mp3") == [["a.txt"], ["b.txt"]]
    assert names(tmp_path / "other", "a.wav", formats=("srt", "json")) == [["a.srt", "a.json"]]
    assert (tmp_path / "other").is_dir()


def test_names_that_collide(tmp_path: Path) -> None:
    assert names(tmp_path, "a.wav", "a.mp3", "b.wav") == [["a.wav.txt"], ["a.mp3.txt"], ["b.txt"]]
    assert names(tmp_path, "x/a.wav", "y/A.wav") == [["a.wav.txt"], ["A.wav.2.txt"]]
    assert names(tmp_path, "a.wav", "a.mp3", "a.wav.flac") == [["a.wav.txt"], ["a.mp3.txt"], ["a.wav.2.txt"]]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InvalidOption, match="is a file, but several"):
        plan(recordings("a.wav", "b.wav"), file, ["txt"])
    with pytest.raises(InvalidOption, match="cannot be made"):
        plan(recordings("a.wav"), file / "below" / "a.txt", ["txt"])


def test_a_name_for_one_file_is_no_folder_for_several(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="is a file, but several"):
        names(tmp_path / "both.srt", "a.wav", "b.wav")
    assert not (tmp_path / "both.srt").exists()
    (tmp_path / "folder.srt").mkdir()
    assert names(tmp_path / "folder.srt", "a.wav", "b.wav") == [["a.txt"], ["b.txt"]]


def test_recordings_are_not_overwritten(tmp_path: Path) -> None:
    recording = tmp_path / "a.json"
    with pytest.raises(InvalidOption, match="would be overwritten"):
        plan(recordings(str(recording)), tmp_path, ["json"])


def test_formats() -> None:
    assert chosen(None, None) == ("txt",)
    assert chosen(None, Path("x.SRT")) == ("srt",)
    assert chosen(None, Path("x.text")) == ("txt",)
    assert chosen(None, Path("x.verbose.json")) == ("verbose_json",)
    assert chosen(None, Path("x.json")) == ("json",)
    assert chosen(["json"], Path("x.srt")) == ("json",)
    assert chosen(["srt", "txt", "srt"], Path("x")) == ("srt", "txt")
    with pytest.raises(InvalidOption, match="not one of txt, srt"):
        chosen(["doc"], None)
    with pytest.raises(InvalidOption, match="add --output DIR"):
        chosen(["srt", "txt"], None)


def test_titles_are_the_names_of_recordings(tmp_path: Path) -> None:
    ((srt, document),) = plan(recordings("x/talk.wav"), tmp_path, ["srt", "docx"], {"srt": {"lines": 1}, "docx": {}})
    assert (srt.options, document.options) == ({"lines": 1}, {"title": "talk"})
    ((document,),) = plan(recordings("x/talk.wav"), tmp_path, ["docx"], {"docx": {"title": ""}})
    assert document.options == {"title": ""}


def test_files_are_no_text_for_stdout() -> None:
    needs_file(["txt", "ass"])
    with pytest.raises(InvalidOption, match=r"^--format: pdf is no text for standard output: add --output FILE$"):
        needs_file(["txt", "pdf"])


def test_options_are_for_all_that_have_them() -> None:
    found = options(["lines=1", "layout=speakers", "reading_speed=20", "speakers=no"], ["srt", "txt", "json"])
    assert found == {
        "srt": {"lines": 1, "reading_speed": 20.0, "speakers": False},
        "txt": {"layout": "speakers", "speakers": False},
        "json": {},
    }
    assert options(["title=a=b"], ["lrc"]) == {"lrc": {"title": "a=b"}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("lines", r"^--option: 'lines' is not of the form NAME=VALUE$"),
        ("layout=plain", r"^--option: srt, vtt have no option 'layout'; there is line_length, "),
        ("lines=x", r"^--option lines: 'x' is no whole number$"),
        ("lines=9", r"^--option lines: 9 is not between 1 and 4$"),
        ("reading_speed=fast", r"^--option reading_speed: 'fast' is no number$"),
        ("reading_speed=nan", r"^--option reading_speed: nan is not between 5 and 60$"),
        ("speakers=maybe", r"^--option speakers: 'maybe' is neither yes nor no"),
    ],
)
def test_a_wrong_option(text: str, reason: str) -> None:
    with pytest.raises(InvalidOption, match=reason):
        options([text], ["srt", "vtt"])


def test_written_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    Target(link, "txt").write(TRANSCRIPT)
    assert link.is_symlink()
    assert target.read_bytes() == "grüße\n".encode()
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "link.txt"]


def test_devices_stay_devices() -> None:
    Target(Path("/dev/null"), "txt").write(TRANSCRIPT)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        Target(tmp_path / "gone" / "a.txt", "txt").write(TRANSCRIPT)
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(OutputError, match="Is a directory"):
        Target(tmp_path / "folder.txt", "txt").write(TRANSCRIPT)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.txt"]


def test_inputs(tmp_path: Path) -> None:
    missing, folder = opened([tmp_path / "missing.wav", tmp_path])
    assert isinstance(missing.error, FileNotFoundError)
    assert isinstance(folder.error, IsADirectoryError)
    assert missing.audio is None
    with pytest.raises(InvalidOption, match="only once"):
        opened([Path("-"), Path("-")])
