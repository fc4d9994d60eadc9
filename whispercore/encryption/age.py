"""The age format, https://age-encryption.org/v1: what is sealed to a recipient is opened with its identity.

Both are texts, as age's own tools have them: ``age1…`` is public, ``AGE-SECRET-KEY-1…`` is not.
"""

from __future__ import annotations

# pyright: reportAttributeAccessIssue=false
# (pyrage is Rust, and has no stubs)
from pyrage import DecryptError, IdentityError, RecipientError, decrypt, encrypt, x25519

from whispercore.encryption import age_file
from whispercore.errors import SealBroken


def new_identity() -> str:
    """A new secret key."""
    return str(x25519.Identity.generate())


def recipient_of(identity: str) -> str:
    """The public key of a secret one.

    Raises:
        ValueError: It is none.
    """
    try:
        return str(x25519.Identity.from_str(identity).to_public())
    except IdentityError as error:
        raise ValueError("it is no secret key of age, which begins with AGE-SECRET-KEY-1") from error


def checked_recipient(text: str) -> str:
    """A public key, if it is one, and something can be sealed to it.

    Raises:
        ValueError: It is none, or one that nobody has the secret half of.
    """
    try:
        recipient = str(x25519.Recipient.from_str(text.strip()))
    except RecipientError as error:
        raise ValueError("it is no public key of age, which begins with age1") from error
    try:
        age_file.seal(b"", recipient)  # with a point of small order, rage panics, and everybody could open the rest
    except ValueError as error:
        raise ValueError("it is a public key of age that nothing can be sealed to") from error
    return recipient


def seal(data: bytes, *recipients: str) -> bytes:
    """An age file that each of them opens.

    Blocks, for 8 MB some hundredths of a second, without keeping other threads from their work.
    """
    sealed: bytes = encrypt(data, [x25519.Recipient.from_str(recipient) for recipient in recipients])
    return sealed


def unseal(data: bytes, identity: str) -> bytes:
    """What is in an age file. Blocks as ``seal`` does.

    Raises:
        SealBroken: It was sealed to somebody else, or is not what it was.
    """
    try:
        opened: bytes = decrypt(data, [x25519.Identity.from_str(identity)])
    except DecryptError as error:
        raise SealBroken from error
    return opened
