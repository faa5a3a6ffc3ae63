"""Secrets that outsiders carry: made, checked for typing errors, hashed.

A token is `usher_<kind>_<secret><check>`: 192 random bits and a CRC-32 of the rest, both base 62, so
that a scanner finds leaked ones and a mistyped one is refused without a look-up. Only the SHA-256 is
kept; with 192 random bits a slow hash would add nothing.
"""

import hashlib
import re
import secrets
import zlib
from typing import Protocol

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SECRET_BYTES = 24
_SECRET_LENGTH = 33
_CHECK_LENGTH = 6
_TOKEN = re.compile(r"usher_([a-z]+)_[0-9A-Za-z]+")


class Randomness(Protocol):
    def token_bytes(self, count: int) -> bytes:
        """`count` bytes that nobody can guess."""


class SystemRandomness:
    def token_bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)


def new_token(kind: str, randomness: Randomness) -> str:
    body = f"usher_{kind}_{_base62(int.from_bytes(randomness.token_bytes(SECRET_BYTES)), _SECRET_LENGTH)}"
    return body + _check(body)


def is_well_formed(kind: str, token: str) -> bool:
    body, check = token[:-_CHECK_LENGTH], token[-_CHECK_LENGTH:]
    return token.startswith(f"usher_{kind}_") and token.isascii() and _check(body) == check


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def without_tokens(text: str) -> str:
    """The text with the secret of every token in it struck out, for whatever keeps foreign text."""
    return _TOKEN.sub(r"usher_\1_***", text) if "usher_" in text else text


def _check(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECK_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits
