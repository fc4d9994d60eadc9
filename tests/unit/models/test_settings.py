from pathlib import Path

import pytest
from attrs import fields
from platformdirs import user_data_path

from whispercore.errors import InvalidOption
from whispercore.settings import HUB, Settings


def test_defaults() -> None:
    settings = Settings.from_environment({"WHISPERCORE_THREADS": " "})
    assert settings == Settings()
    assert settings.models_dir == user_data_path("whispercore") / "models"
    assert (settings.offline, settings.hub, settings.default_model) == (False, HUB, "small")
    assert (settings.threads, settings.keep_alive_s) == (None, 300.0)


def test_everything_set() -> None:
    settings = Settings.from_environment(
        {
            "WHISPERCORE_MODELS": "~/m",
            "WHISPERCORE_OFFLINE": "Yes",
            "WHISPERCORE_HUB": "http://mirror:8080/models/",
            "WHISPERCORE_MODEL": "tiny",
            "WHISPERCORE_THREADS": "4",
            "WHISPERCORE_DEVICES": "0, GPU-8f3a",
            "WHISPERCORE_SHORT_AUDIO_CONTEXT": "1",
            "WHISPERCORE_WORD_TIMES": "dtw",
            "WHISPERCORE_KEEP_ALIVE_S": "1.5",
            "WHISPERCORE_MODELS_MEMORY_MB": "4096",
        }
    )
    assert settings == Settings(
        models_dir=Path.home() / "m",
        offline=True,
        hub="http://mirror:8080/models",
        default_model="tiny",
        threads=4,
        devices=("0", "GPU-8f3a"),
        short_audio_context=True,
        word_times="dtw",
        keep_alive_s=1.5,
        models_memory_mb=4096,
    )


def test_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHISPERCORE_OFFLINE", "1")
    assert Settings.from_environment().offline
    assert not Settings.from_environment({"WHISPERCORE_OFFLINE": "False"}).offline


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WHISPERCORE_MODELS", "~nobody-of-this-name/x"),
        ("WHISPERCORE_OFFLINE", "maybe"),
        ("WHISPERCORE_HUB", "huggingface.co"),
        ("WHISPERCORE_HUB", "file:///x"),
        ("WHISPERCORE_HUB", "http://[x"),
        ("WHISPERCORE_THREADS", "0"),
        ("WHISPERCORE_THREADS", "-1"),
        ("WHISPERCORE_THREADS", "2.5"),
        ("WHISPERCORE_THREADS", "99999"),
        ("WHISPERCORE_DEVICES", ","),
        ("WHISPERCORE_WORD_TIMES", "best"),
        ("WHISPERCORE_MODELS_MEMORY_MB", "-1"),
        ("WHISPERCORE_KEEP_ALIVE_S", "-1"),
        ("WHISPERCORE_KEEP_ALIVE_S", "nan"),
        ("WHISPERCORE_KEEP_ALIVE_S", "inf"),
        ("WHISPERCORE_KEEP_ALIVE_S", "soon"),
    ],
)
def test_values_that_cannot_work(variable: str, value: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        Settings.from_environment({variable: value})
    assert caught.value.option == variable
    assert caught.value.reason


def test_every_field_is_documented() -> None:
    for field in fields(Settings):
        assert field.metadata["variable"].startswith("WHISPERCORE_")
        assert field.metadata["help"].endswith(".")
