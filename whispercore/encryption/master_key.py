"""The master key, to which the secret keys of people and of the workers are sealed."""

from __future__ import annotations

from typing import ClassVar, Final

from whispercore.durable import sync_folder
from whispercore.encryption import age
from whispercore.key_file import KeyFile

_NEXT: Final = ".next"


class MasterKey(KeyFile):
    """A secret key of age. Without it, nothing in the store can be read: who loses it loses all recordings."""

    name: ClassVar[str] = "master key"

    def identity(self) -> str:
        """The key. Blocks.

        Raises:
            InvalidOption: The file cannot be read, or is no key.
        """
        return self.secret().decode()

    def recipient(self) -> str:
        """Its public half. Blocks."""
        return age.recipient_of(self.identity())

    def next(self) -> MasterKey | None:
        """The key that is to take the place of this one, in a file beside it; None where there is no file."""
        return MasterKey(self.file.with_name(self.file.name + _NEXT)) if self.file is not None else None

    def is_unsettled(self) -> bool:
        """Whether this key is being changed, or that was broken off. Blocks."""
        following = self.next()
        return following is not None and following.known()

    def settle(self, wanted: str) -> None:
        """Finish, or undo, what was broken off when this key was changed. Blocks.

        Args:
            wanted: The public half of the key that is needed. Nobody may be changing it.
        """
        following = self.next()
        if self.file is None or following is None or following.file is None or not following.known():
            return
        if following.recipient() == wanted:
            following.file.replace(self.file)
            self._secret = None
        else:
            following.file.unlink()
        sync_folder(self.file.parent)

    @classmethod
    def new_text(cls) -> str:
        """What is written to a new file."""
        return age.new_identity()

    @classmethod
    def told(cls, text: str) -> bytes:
        """The key that a setting says."""
        return cls.parsed(text)

    @classmethod
    def parsed(cls, text: str) -> bytes:
        """The key in a file.

        Raises:
            ValueError: It is none.
        """
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        if len(lines) != 1:
            raise ValueError(f"it has {len(lines)} keys in it, and has to have one")
        age.recipient_of(lines[0])
        return lines[0].encode()
