"""The models that can be had by name: those that whisper.cpp publishes, and the one in this package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from attrs import field, frozen

Languages = Literal["multilingual", "english"]

_TINYDIARIZE = "https://huggingface.co/akashmjn/tinydiarize-whisper.cpp/resolve/main"


@frozen(kw_only=True)
class CatalogueModel:
    """A published model."""

    name: str
    file_name: str
    """The name of its file at the hub, or in this package."""
    size_mb: int
    """About how large the file is, in millions of bytes."""
    sha1: str | None = None
    """The published checksum; None where only the hub's own headers have one."""
    languages: Languages
    note: str = ""
    home: str | None = field(default=None, repr=False)
    """The address of the folder it is published in, for a model that is not at the hub."""

    def url(self, hub: str) -> str:
        """The address of the file.

        Args:
            hub: The address of the folder where whisper.cpp's models are published.
        """
        return f"{(self.home or hub).rstrip('/')}/{self.file_name}"


def _published(name: str, size_mb: int, sha1: str | None = None, note: str = "") -> CatalogueModel:
    english = ".en" in name
    return CatalogueModel(
        name=name,
        file_name=f"ggml-{name}.bin",
        size_mb=size_mb,
        sha1=sha1,
        languages="english" if english else "multilingual",
        note=note,
        home=_TINYDIARIZE if name.endswith("-tdrz") else None,
    )


MICRO = CatalogueModel(
    name="micro",
    file_name="micro.bin",
    size_mb=18,
    languages="multilingual",
    note="comes with this package, for tests and first steps; knows a few hundred words, no replacement for the others",
)
"""The model inside this package."""

MICRO_PATH = Path(__file__).parent / "files" / MICRO.file_name
"""Where it is."""

SILERO_PATH = Path(__file__).parent / "files" / "silero-v6.2.0.bin"
"""The model inside this package that finds speech."""

_PUBLISHED = (
    _published("tiny", 78, "bd577a113a864445d4c299885e0cb97d4ba92b5f", "fastest, many errors"),
    _published("tiny.en", 78, "c78c86eb1a8faa21b369bcd33207cc90d64ae9df"),
    _published("tiny-q5_1", 32),
    _published("tiny.en-q5_1", 32),
    _published("tiny-q8_0", 44),
    _published("base", 148, "465707469ff3a37a2b9b8d8f89f2f99de7299dac"),
    _published("base.en", 148, "137c40403d78fd54d454da0f9bd998f78703390c"),
    _published("base-q5_1", 60),
    _published("base.en-q5_1", 60),
    _published("base-q8_0", 82),
    _published("small", 488, "55356645c2b361a969dfd0ef2c5a50d530afd8d5", "a good start without a GPU"),
    _published("small.en", 488, "db8a495a91d927739e50b3fc1cc4c6b8f6c2d022"),
    _published("small.en-tdrz", 488, "b6c6e7e89af1a35c08e6de56b66ca6a02a2fdfa1", "marks where the speaker changes"),
    _published("small-q5_1", 190),
    _published("small.en-q5_1", 190),
    _published("small-q8_0", 264),
    _published("medium", 1534, "fd9727b6e1217c2f614f9b698455c4ffd82463b4"),
    _published("medium.en", 1534, "8c30f0e44ce9560643ebd10bbe50cd20eafd3723"),
    _published("medium-q5_0", 539),
    _published("medium.en-q5_0", 539),
    _published("medium-q8_0", 823),
    _published("large-v1", 3095, "b1caaf735c4cc1429223d5a74f0f4d0b9b59a299"),
    _published("large-v2", 3095, "0f4c8e34f21cf1a914c59d8b3ce882345ad349d6"),
    _published("large-v2-q5_0", 1081, "00e39f2196344e901b3a2bd5814807a769bd1630"),
    _published("large-v2-q8_0", 1656),
    _published("large-v3", 3095, "ad82bf6a9043ceed055076d0fd39f5f186ff8062", "fewest errors, slowest"),
    _published("large-v3-q5_0", 1081, "e6e2ed78495d403bef4b7cff42ef4aaadcfea8de"),
    _published("large-v3-turbo", 1625, "4af2b29d7ec73d781377bfd1758ca957a807e941", "nearly large-v3, much faster"),
    _published("large-v3-turbo-q5_0", 574, "e050f7970618a659205450ad97eb95a18d69c9ee"),
    _published("large-v3-turbo-q8_0", 874),
)

CATALOGUE: Mapping[str, CatalogueModel] = MappingProxyType({model.name: model for model in _PUBLISHED})
"""Every model that can be downloaded, by name."""
