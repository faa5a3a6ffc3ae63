"""Encrypted assertions: one plain form reaches xmlsec, with our keys newest first; pure.

Only AES with RSA-OAEP is decrypted: the older key transport lets anybody with time read messages and make
signatures. Every failure is the same refusal, so that nothing is learned from trying.
"""

import copy
from collections.abc import Sequence

import xmlsec
from lxml import etree
from xmlsec import constants

from app.sso.saml.certificates import SpKey
from app.sso.saml.library_errors import LibraryError, library_errors
from app.sso.saml.names import XENC, XENC11, Element, children, tag
from app.sso.saml.parsing import parse_message
from app.sso.saml.reasons import ReasonCode, RefusedError, Step

CONTENT_ALGORITHMS = frozenset(
    {
        *(f"{XENC}aes{bits}-cbc" for bits in (128, 192, 256)),
        *(f"{XENC11}aes{bits}-gcm" for bits in (128, 192, 256)),
    }
)
KEY_ALGORITHMS = frozenset({f"{XENC}rsa-oaep-mgf1p", f"{XENC11}rsa-oaep"})
MAX_KEYS_TRIED = 4


def decrypted(root: Element, keys: Sequence[SpKey]) -> Element:
    """The response with its EncryptedAssertion replaced by the plain one, parsed anew; raises `RefusedError`.

    Parsed anew because lxml does not find elements that xmlsec has made.
    """
    plain = copy.deepcopy(root)
    encrypted = plain.find(tag("saml:EncryptedAssertion"))
    data, wrapped = _plain_form(encrypted)
    session_key = _unwrapped(wrapped, keys)
    try:
        with library_errors():
            context = xmlsec.EncryptionContext()
            context.key = xmlsec.Key.from_binary_data(constants.KeyDataAes, session_key)
            plain.replace(encrypted, context.decrypt(data))
            serialized = etree.tostring(plain)
    except LibraryError:
        raise _failed(keys) from None
    return parse_message(serialized)


def _unwrapped(wrapped: Element, keys: Sequence[SpKey]) -> bytes:
    """The session key, by the first of our keys that fits. A keys manager would cost 14 ms to make."""
    for key in keys[:MAX_KEYS_TRIED]:
        try:
            with library_errors():
                context = xmlsec.EncryptionContext()
                context.key = xmlsec.Key.from_memory(key.private_key_pem, constants.KeyDataFormatPem)
                # The stubs only know the decryption of an element.
                return bytes(context.decrypt(wrapped))
        except LibraryError:
            continue
    raise _failed(keys)


def _plain_form(encrypted: Element) -> tuple[Element, Element]:
    """EncryptedData and EncryptedKey with nothing left but algorithms and cipher values.

    The EncryptedKey may stand beside the data (Shibboleth) or within. References, hints about the
    recipient and transforms of foreign ciphers are dropped or refused, never followed.
    """
    found = children(encrypted, "xenc:EncryptedData")
    wrapped = list(encrypted.iter(tag("xenc:EncryptedKey")))
    if len(found) != 1 or len(wrapped) != 1:
        raise _misshapen(f"{len(found)} EncryptedData, {len(wrapped)} EncryptedKey")
    data, key = found[0], wrapped[0]
    _keep(data, CONTENT_ALGORITHMS)
    _keep(key, KEY_ALGORITHMS)
    data.set("Type", f"{XENC}Element")
    return data, key


def _keep(element: Element, algorithms: frozenset[str]) -> None:
    methods = children(element, "xenc:EncryptionMethod")
    ciphers = children(element, "xenc:CipherData")
    if len(methods) != 1 or len(ciphers) != 1:
        raise _misshapen(etree.QName(element).localname)
    received = methods[0].get("Algorithm", "")
    if received not in algorithms:
        raise RefusedError(
            ReasonCode.ENCRYPTION_ALGORITHM,
            Step.DECRYPTION,
            expected=", ".join(sorted(algorithms)),
            received=received,
        )
    if [part.tag for part in ciphers[0]] != [tag("xenc:CipherValue")] or len(ciphers[0][0]):
        raise _misshapen("CipherData")
    for part in list(element):
        if part is not methods[0] and part is not ciphers[0]:
            element.remove(part)


def _failed(keys: Sequence[SpKey]) -> RefusedError:
    return RefusedError(
        ReasonCode.DECRYPTION_FAILED, Step.DECRYPTION, expected=f"one of our {len(keys)} keys"
    )


def _misshapen(received: str) -> RefusedError:
    return RefusedError(ReasonCode.ENCRYPTION_SHAPE, Step.DECRYPTION, received=received)
