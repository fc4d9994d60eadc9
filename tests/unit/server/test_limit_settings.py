"""Settings of limits, proxies and pages of other origins."""

from __future__ import annotations

from pathlib import Path

import pytest

from whispercore.errors import InvalidOption
from whispercore.people.networks import network
from whispercore.setting import load
from whispercore_server.settings import ServerSettings


def test_the_environment_separates_with_commas() -> None:
    environ = {
        "WHISPERCORE_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8",
        "WHISPERCORE_CORS_ORIGINS": "https://A.example/ http://localhost:5173",
        "WHISPERCORE_RATE_PROFILE": "video",
        "WHISPERCORE_FORWARDED_HEADER": "Forwarded",
    }
    loaded = load(ServerSettings, environ=environ)
    assert loaded.settings.trusted_proxies == (network("127.0.0.1"), network("10.0.0.0/8"))
    assert loaded.settings.cors_origins == ("https://a.example", "http://localhost:5173")
    assert (loaded.settings.rate_profile, loaded.settings.forwarded_header) == ("video", "Forwarded")
    shown = {value.name: value.shown for value in loaded.values}
    assert shown["trusted_proxies"] == "127.0.0.1/32, 10.0.0.0/8"
    assert shown["cors_origins"] == "https://a.example, http://localhost:5173"


def test_a_file_has_lists(tmp_path: Path) -> None:
    config = tmp_path / "whispercore.toml"
    config.write_text('trusted_proxies = ["::1", "fd00::/8"]\ncors_origins = ["https://a.example"]\n')
    settings = load(ServerSettings, environ={}, config=config).settings
    assert settings.trusted_proxies == (network("::1"), network("fd00::/8"))
    assert settings.cors_origins == ("https://a.example",)
    for wrong in ('host = ["a"]', "trusted_proxies = [1]", 'trusted_proxies = ["10.0.0.1/8"]', "cors_origins = ['*']"):
        config.write_text(wrong)
        with pytest.raises(InvalidOption):
            load(ServerSettings, environ={}, config=config)


def test_nothing_is_trusted_and_nobody_is_let_in_by_default() -> None:
    loaded = load(ServerSettings, environ={})
    settings = loaded.settings
    assert (settings.trusted_proxies, settings.cors_origins, settings.redis_url) == ((), (), None)
    assert settings.rate_profile == "transcriber-001"
    shown = {value.name: value.shown for value in loaded.values}
    assert (shown["trusted_proxies"], shown["cors_origins"], shown["redis_url"]) == ("none", "none", "not set")


def test_the_password_of_a_redis_is_not_shown() -> None:
    loaded = load(ServerSettings, environ={"WHISPERCORE_REDIS_URL": "rediss://user:hush-hush@redis.example:6380/1"})
    assert "hush" not in repr(loaded)
    assert "redis.example" in repr(loaded)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("WHISPERCORE_RATE_PROFILE", "strict"),
        ("WHISPERCORE_REDIS_URL", "http://redis.example"),
        ("WHISPERCORE_REDIS_URL", "redis://"),
        ("WHISPERCORE_REDIS_URL", "redis://redis.example:port"),
        ("WHISPERCORE_TRUSTED_PROXIES", "everybody"),
        ("WHISPERCORE_FORWARDED_HEADER", "X-Real-IP"),
        ("WHISPERCORE_CORS_ORIGINS", "*"),
    ],
)
def test_what_cannot_work_is_named(variable: str, text: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        load(ServerSettings, environ={variable: text})
    assert caught.value.option == variable


def test_who_embeds_it_writes_texts() -> None:
    settings = ServerSettings(trusted_proxies=("10.0.0.0/8",), cors_origins=("https://a.example",))
    assert settings.trusted_proxies == (network("10.0.0.0/8"),)
    for wrong in ({"trusted_proxies": ("x",)}, {"cors_origins": ("*",)}, {"rate_profile": "strict"}):
        with pytest.raises(InvalidOption):
            ServerSettings(**wrong)
