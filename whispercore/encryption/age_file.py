"""Age files of megabytes, made with OpenSSL, which is several times as quick as pyrage at that.

This is https://age-encryption.org/v1 to the letter, for one recipient: a key of the file, wrapped by X25519 and HKDF,
an HMAC over the header, and the content in pieces of 64 KiB under ChaCha20-Poly1305, whose nonces count them and mark
the last. Tests open with pyrage what is sealed here, and here what pyrage seals.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from whispercore.errors import SealBroken

_INTRO: Final = b"age-encryption.org/v1\n-> X25519 "
_LABEL: Final = b"age-encryption.org/v1/X25519"
_TEXT_BYTES: Final = 43
"""Of 32 bytes in base64 without padding."""
_HEADER_BYTES: Final = len(_INTRO) + _TEXT_BYTES + 1 + _TEXT_BYTES + len(b"\n--- ") + _TEXT_BYTES + 1
_NONCE_BYTES: Final = 16
PIECE_BYTES: Final = 1 << 16
"""Of what is in a file, each piece is sealed by itself."""
HEAD_BYTES: Final = _HEADER_BYTES + _NONCE_BYTES
"""Of a file, before its first piece."""
_TAG_BYTES: Final = 16
_LETTERS: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
"""Of Bech32, the writing of age's keys."""


def size_of(size_bytes: int) -> int:
    """How large the file is that has so many bytes in it."""
    return HEAD_BYTES + size_bytes + _pieces(size_bytes) * _TAG_BYTES


def seal(data: bytes | bytearray | memoryview, recipient: str, into: bytearray | None = None) -> memoryview:
    """An age file. Blocks.

    Args:
        data: What is to be in it.
        recipient: A public key of age, ``age1…``, that was checked.
        into: Memory to write it to, if it is large enough: fresh memory costs as much as the work.
    """
    public = _key_bytes(recipient)
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    wrapping = _derived(ephemeral.exchange(X25519PublicKey.from_public_bytes(public)), share + public, _LABEL)
    file_key = os.urandom(16)
    body = ChaCha20Poly1305(wrapping).encrypt(bytes(12), file_key, None)
    nonce = os.urandom(_NONCE_BYTES)
    view = memoryview(data)
    pieces = _pieces(len(view))
    sealed = _memory(size_of(len(view)), into)
    at = HEAD_BYTES
    sealed[:at] = _header(share, body, file_key) + nonce
    cipher = ChaCha20Poly1305(_derived(file_key, nonce, b"payload"))
    for number in range(pieces):
        piece = view[number * PIECE_BYTES : (number + 1) * PIECE_BYTES]
        end = at + len(piece) + _TAG_BYTES
        _ = cipher.encrypt_into(_nonce(number, is_last=number == pieces - 1), piece, None, sealed[at:end])
        at = end
    return sealed


def unseal(sealed: bytes | bytearray | memoryview, identity: str, into: bytearray | None = None) -> memoryview:
    """What is in an age file that has one recipient of this kind, as ``seal`` makes it. Blocks.

    Args:
        sealed: The file.
        identity: A secret key of age, ``AGE-SECRET-KEY-1…``, that was checked.
        into: Memory to write it to, if it is large enough.

    Raises:
        SealBroken: It was sealed to another key, or has changed.
    """
    view = memoryview(sealed)
    content = Content(view[:HEAD_BYTES], identity, len(view))
    data = _memory(content.size_bytes, into)
    for number in range(content.pieces):
        start, end = content.place(number)
        begin = number * PIECE_BYTES
        _ = content.unseal(number, view[start:end], data[begin : begin + PIECE_BYTES])
    return data


class Content:
    """What is in an age file that has one recipient of this kind. Its pieces can be opened in any order.

    Args:
        head: The first ``HEAD_BYTES`` of the file.
        identity: A secret key of age, ``AGE-SECRET-KEY-1…``, that was checked.
        stored_bytes: Of the whole file.

    Raises:
        SealBroken: It was sealed to another key, or has changed.
    """

    def __init__(self, head: bytes | memoryview, identity: str, stored_bytes: int) -> None:
        left = stored_bytes - HEAD_BYTES
        self.pieces = -(-left // (PIECE_BYTES + _TAG_BYTES))
        """How many there are."""
        self.size_bytes = left - self.pieces * _TAG_BYTES
        """Of all of them, opened."""
        # The last piece is empty in an empty file only.
        if self.pieces < 1 or self.size_bytes < (self.pieces - 1) * PIECE_BYTES + (self.pieces > 1):
            raise SealBroken
        header, nonce = bytes(head[:_HEADER_BYTES]), bytes(head[_HEADER_BYTES:])
        try:
            self._cipher = ChaCha20Poly1305(_derived(_file_key(header, identity), nonce, b"payload"))
        except (InvalidTag, ValueError) as error:
            raise SealBroken from error

    def place(self, number: int) -> tuple[int, int]:
        """Where a piece lies in the file: its first byte, and the one after its last."""
        start = HEAD_BYTES + number * (PIECE_BYTES + _TAG_BYTES)
        return start, start + min(PIECE_BYTES, self.size_bytes - number * PIECE_BYTES) + _TAG_BYTES

    def unseal(self, number: int, sealed: bytes | memoryview, into: memoryview | None = None) -> memoryview:
        """A piece.

        Args:
            number: Which it is.
            sealed: What lies at its place.
            into: Memory to write it to, of the very size that it has.

        Raises:
            SealBroken: It has changed, or is another one.
        """
        try:
            opened = into if into is not None else memoryview(bytearray(len(sealed) - _TAG_BYTES))
            _ = self._cipher.decrypt_into(_nonce(number, is_last=number == self.pieces - 1), sealed, None, opened)
        except (InvalidTag, ValueError) as error:
            raise SealBroken from error
        return opened


def _file_key(header: bytes, identity: str) -> bytes:
    """The key that a header has wrapped.

    Raises:
        InvalidTag: Not for this identity.
        ValueError: It is no such header.
        SealBroken: It has changed.
    """
    at = len(_INTRO)
    share = _bytes(header[at : at + _TEXT_BYTES])
    body = _bytes(header[at + _TEXT_BYTES + 1 : at + 2 * _TEXT_BYTES + 1])
    secret = X25519PrivateKey.from_private_bytes(_key_bytes(identity))
    public = secret.public_key().public_bytes_raw()
    wrapping = _derived(secret.exchange(X25519PublicKey.from_public_bytes(share)), share + public, _LABEL)
    file_key = ChaCha20Poly1305(wrapping).decrypt(bytes(12), body, None)
    if not hmac.compare_digest(header, _header(share, body, file_key)):  # all of it is in its HMAC
        raise SealBroken
    return file_key


def _header(share: bytes, body: bytes, file_key: bytes) -> bytes:
    told = _INTRO + _text(share) + b"\n" + _text(body) + b"\n---"
    return told + b" " + _text(hmac.digest(_derived(file_key, b"", b"header"), told, hashlib.sha256)) + b"\n"


def _pieces(size_bytes: int) -> int:
    return max(1, -(-size_bytes // PIECE_BYTES))


def _memory(size_bytes: int, into: bytearray | None) -> memoryview:
    given = into if into is not None and len(into) >= size_bytes else bytearray(size_bytes)
    return memoryview(given)[:size_bytes]


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _derived(secret: bytes, salt: bytes, label: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=label).derive(secret)


def _text(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _bytes(text: bytes) -> bytes:
    return base64.b64decode(text + b"=", validate=True)


def _key_bytes(text: str) -> bytes:
    """The 32 bytes of a key in Bech32. Whether it is one was checked when it came."""
    number = 0
    for letter in text.lower().rpartition("1")[2][:-6]:
        number = number << 5 | _LETTERS.index(letter)
    return (number >> 4).to_bytes(32, "big")  # 52 letters of 5 bits are 4 more than the bytes have
