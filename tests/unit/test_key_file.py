"""Keys that are not in the database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from whispercore.audit.key import AuditKey
from whispercore.errors import InvalidOption
from whispercore.people.token_key import TokenKey


def test_it_is_made_once_and_found_again(tmp_path: Path) -> None:
    file = tmp_path / "audit.key"
    first = AuditKey(file)
    assert first.secret() == AuditKey(file).secret()
    assert first.made
    assert len(first.secret()) == 32
    assert file.stat().st_mode & 0o777 == 0o600


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    file = tmp_path / "audit.key"
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: AuditKey(file).secret(), range(64)))) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["audit.key"]


def test_a_setting_comes_before_the_file(tmp_path: Path) -> None:
    key = AuditKey(tmp_path / "audit.key", text="a long text that somebody keeps elsewhere")
    assert key.secret() == AuditKey(text="a long text that somebody keeps elsewhere").secret()
    assert not (tmp_path / "audit.key").exists()


@pytest.mark.parametrize("content", ["", "zz", "00" * 31, "00" * 33, "é"])
def test_a_file_that_is_no_key_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "audit.key"
    file.write_text(content, "utf-8")
    with pytest.raises(InvalidOption) as caught:
        AuditKey(file).secret()
    assert "00" not in str(caught.value).replace(str(file), "")


def test_it_is_not_shown(tmp_path: Path) -> None:
    key = AuditKey(tmp_path / "audit.key")
    assert key.secret().hex() not in repr(key) + str(vars(AuditKey))


@pytest.mark.parametrize("kind", [AuditKey, TokenKey])
def test_what_is_wrong_says_which_key_it_is(kind: type[AuditKey | TokenKey], tmp_path: Path) -> None:
    (tmp_path / "x.key").write_text("not one")
    with pytest.raises(InvalidOption, match=rf"{kind.name}.*x\.key cannot be read"):
        kind(tmp_path / "x.key").secret()


def test_without_file_and_setting_it_is_of_this_process_only() -> None:
    key = TokenKey()
    assert key.secret() == key.secret() != TokenKey().secret()
