"""Where values come from, on a class of settings that is nobody's."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import field, frozen

from whispercore import parsers
from whispercore.errors import InvalidOption
from whispercore.setting import Loaded, load, setting


@frozen(kw_only=True)
class Inner:
    depth: int = field(default=1, metadata=setting("X_DEPTH", "How deep.", parsers.whole(1, 9)))


@frozen(kw_only=True)
class Outer:
    place: Path = field(default=Path("/usual"), metadata=setting("X_PLACE", "Where.", parsers.folder))
    number: int = field(default=5, metadata=setting("X_NUMBER", "How many.", parsers.whole(1, 99)))
    on: bool = field(default=False, metadata=setting("X_ON", "Whether.", parsers.flag))
    wait_s: float | None = field(default=None, metadata=setting("X_WAIT", "How long.", parsers.seconds))
    key: str | None = field(default=None, repr=False, metadata=setting("X_KEY", "Key.", parsers.word, secret=True))
    inner: Inner = field(factory=Inner)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def shown(loaded: Loaded[Outer]) -> dict[str, tuple[str, str]]:
    return {value.name: (value.shown, value.source) for value in loaded.values}


def test_nothing_given() -> None:
    loaded = load(Outer, environ={})
    assert loaded.settings == Outer()
    assert loaded.config is None
    assert shown(loaded) == {
        "place": ("/usual", "default"),
        "number": ("5", "default"),
        "on": ("no", "default"),
        "wait_s": ("not set", "default"),
        "key": ("not set", "default"),
        "inner.depth": ("1", "default"),
    }


def test_each_source_is_stronger_than_the_one_before(config: Path) -> None:
    config.write_text('number = 6\non = true\nwait_s = 1.5\nkey = "from the file"\n[inner]\ndepth = 2\n')
    loaded = load(
        Outer,
        environ={"X_NUMBER": "7", "X_DEPTH": "3", "X_PLACE": " ", "X_ON": "off"},
        config=config,
        arguments={"number": 8, "place": None},
    )
    assert loaded.settings == Outer(number=8, on=False, wait_s=1.5, key="from the file", inner=Inner(depth=3))
    assert loaded.config == config
    assert shown(loaded) == {
        "place": ("/usual", "default"),
        "number": ("8", "argument"),
        "on": ("no", "environment"),
        "wait_s": ("1.5", "file"),
        "key": ("set", "file"),
        "inner.depth": ("3", "environment"),
    }


def test_the_environment_names_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("number = 6")
    monkeypatch.setenv("WHISPERCORE_CONFIG", str(config))
    assert load(Outer).settings.number == 6
    other = config.with_name("other.toml")
    other.write_text("number = 7")
    assert load(Outer, config=other).settings.number == 7


def test_a_table_of_a_file_for_more(config: Path) -> None:
    config.write_text("[inner]\ndepth = 4\n[other]\nx = 1\n")
    assert load(Inner, environ={}, config=config, table="inner").settings == Inner(depth=4)
    assert load(Inner, environ={}, config=config, table="absent").settings == Inner()
    with pytest.raises(InvalidOption, match=r"other\.x in .*: there is no such setting; there are depth"):
        load(Inner, environ={}, config=config, table="other")


def test_relative_paths_begin_where_they_are_written(config: Path) -> None:
    config.write_text('place = "state"')
    assert load(Outer, environ={}, config=config).settings.place == config.parent / "state"
    assert load(Outer, environ={"X_PLACE": "state"}).settings.place == Path.cwd() / "state"
    assert load(Outer, environ={}, arguments={"place": "~/x"}).settings.place == Path.home() / "x"


@pytest.mark.parametrize(
    ("text", "option", "reason"),
    [
        ("nummber = 3", "nummber", "there is no such setting; did you mean number?"),
        ("depth = 3", "depth", "there is no such setting; did you mean inner.depth?"),
        ("[inner]\nplaces = 3", "inner.places", "there is no such setting; did you mean place?"),
        ("zzz = 3", "zzz", "there is no such setting; there are place, number, on, wait_s, key, inner.depth"),
        ("'' = 3", "", "there is no such setting; there are place, number, on, wait_s, key, inner.depth"),
        ("[number]\nx = 1", "number", "it has to be a text, a number, true or false"),
        ("number = [1]", "number", "it has to be a text, a number, true or false"),
        ("number = 2020-01-01", "number", "it has to be a text, a number, true or false"),
        ("number = 100", "number", "'100' is not a whole number from 1 to 99"),
        ("number = true", "number", "'True' is not a whole number from 1 to 99"),
        ("wait_s = nan", "wait_s", "'nan' is not a number of seconds, 0 or more"),
        ("inner = 3", "inner", "it has to be a table: [inner]"),
        ("[inner]\ndepth = 0", "inner.depth", "'0' is not a whole number from 1 to 9"),
    ],
)
def test_what_is_wrong_in_a_file(config: Path, text: str, option: str, reason: str) -> None:
    config.write_text(text)
    with pytest.raises(InvalidOption) as caught:
        load(Outer, environ={}, config=config)
    assert (caught.value.option, caught.value.reason) == (f"{option} in {config}", reason)


@pytest.mark.parametrize("content", [b"number =", b"\xff\xfe", b"\0", b"number = 1\nnumber = 2"])
def test_files_that_are_no_toml(config: Path, content: bytes) -> None:
    config.write_bytes(content)
    with pytest.raises(InvalidOption, match=rf"^--config: {config} is not a TOML file: "):
        load(Outer, environ={}, config=config)


def test_files_that_cannot_be_read(config: Path) -> None:
    with pytest.raises(InvalidOption, match=rf"^WHISPERCORE_CONFIG: {config} cannot be read: No such file"):
        load(Outer, environ={"WHISPERCORE_CONFIG": str(config)})
    with pytest.raises(InvalidOption, match=r"^--config: .* cannot be read: Is a directory"):
        load(Outer, environ={}, config=config.parent)


def test_wrong_variables_and_arguments_are_named() -> None:
    with pytest.raises(InvalidOption, match=r"^X_NUMBER: 'many' is not"):
        load(Outer, environ={"X_NUMBER": "many"})
    with pytest.raises(InvalidOption, match=r"^--wait-s: '-1' is not"):
        load(Outer, environ={}, arguments={"wait_s": -1})
    with pytest.raises(InvalidOption, match=r"^X_NUMBER: '9{5000}' is not"):
        load(Outer, environ={"X_NUMBER": "9" * 5000})


def test_passwords_in_addresses_are_not_shown() -> None:
    assert parsers.without_password("postgresql://me:s3:cret@host/x") == "postgresql://me:***@host/x"
    assert parsers.without_password("https://host/x:y@z") == "https://host/x:y@z"
    assert parsers.without_password("https://[broken") == "***"
