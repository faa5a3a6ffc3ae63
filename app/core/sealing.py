"""Private keys at rest: AES-GCM under a key that is derived from the secret of the installation.

What is sealed names its key, so that a changed secret is told from damage. `bound_to` must be the same
on opening: a sealed text that was moved to another row does not open.
"""

import hashlib
from base64 import b64decode, b64encode
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core.tokens import Randomness

_NONCE_BYTES = 12
_KEY_ID_LENGTH = 16


class UnsealError(Exception):
    """The text was sealed under another secret, for another place, or is damaged."""


@dataclass(frozen=True, slots=True)
class Sealed:
    text: str
    key_id: str


class Sealer:
    def __init__(self, secret_key: str, randomness: Randomness) -> None:
        # Derived, so that what signs cursors never encrypts.
        self._key = hashlib.sha256(f"usher-sealing {secret_key}".encode()).digest()
        self._key_id = hashlib.sha256(self._key).hexdigest()[:_KEY_ID_LENGTH]
        self._randomness = randomness

    def seal(self, text: str, *, bound_to: str) -> Sealed:
        nonce = self._randomness.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self._key).encrypt(nonce, text.encode(), bound_to.encode())
        return Sealed(b64encode(nonce + sealed).decode(), self._key_id)

    def open(self, sealed: Sealed, *, bound_to: str) -> str:
        if sealed.key_id != self._key_id:
            raise UnsealError(f"Sealed under the key {sealed.key_id}; the secret has changed since.")
        raw = b64decode(sealed.text)
        try:
            opened = AESGCM(self._key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound_to.encode())
        except InvalidTag as error:
            raise UnsealError("The sealed text is damaged or belongs elsewhere.") from error
        return opened.decode()
