"""What tokens are signed with besides what is in the database, so who has only that, or a backup, cannot sign."""

from __future__ import annotations

from typing import ClassVar

from whispercore.key_file import KeyFile


class TokenKey(KeyFile):
    """The key to the signing keys. Another one is a way to end the belief in all tokens there are."""

    name: ClassVar[str] = "token key"
    file_name: ClassVar[str] = "token.key"
