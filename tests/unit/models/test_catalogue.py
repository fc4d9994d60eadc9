import re

from whispercore.models.catalogue import CATALOGUE, MICRO, MICRO_PATH
from whispercore.settings import HUB


def test_names_and_files() -> None:
    assert len(CATALOGUE) == 30
    for name, model in CATALOGUE.items():
        assert model.name == name
        assert model.file_name == f"ggml-{name}.bin"
        assert (model.languages == "english") == (".en" in name)
        assert model.sha1 is None or re.fullmatch("[0-9a-f]{40}", model.sha1)
    checksums = [model.sha1 for model in CATALOGUE.values() if model.sha1]
    assert len(set(checksums)) == len(checksums) == 16


def test_addresses() -> None:
    assert CATALOGUE["small"].url(HUB) == "https://huggingface.co/ggerganov/whisper.cpp/resolve/main/ggml-small.bin"
    assert CATALOGUE["tiny"].url("http://mirror/x/") == "http://mirror/x/ggml-tiny.bin"
    assert CATALOGUE["small.en-tdrz"].url(HUB).startswith("https://huggingface.co/akashmjn/tinydiarize-whisper.cpp/")


def test_the_bundled_model() -> None:
    assert MICRO_PATH.is_file()
    assert MICRO.name not in CATALOGUE
    assert "no replacement" in MICRO.note
    assert "large" not in CATALOGUE
