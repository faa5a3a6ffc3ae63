"""Signatures that are missing, forged, weak or bombs, and encryption: nothing hostile reaches a library."""

import base64
import copy
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.x509 import load_pem_x509_certificate
from lxml import etree
from xmlsec import constants

from app.sso.saml.reasons import ReasonCode as R
from tests.support.saml_corpus.case import (
    ACCEPTED,
    assertion_of,
    case,
    encoded_text,
    evil_twin,
    replaced,
    signature_of,
    text_of,
)
from tests.support.saml_idp import DS, XENC, KeyPair, Scene, SignOptions, encrypt, find, key_pair, parse, sign

Edit = Callable[[Any], None]
FAMILY = "signature"
BOMBS = "transform bomb"
ENCRYPTION = "encryption"
_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
_XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"


@case(FAMILY, "none", "no signature at all", R.SIGNATURE_MISSING)
def none(scene: Scene) -> Any:
    return scene.signed(assertion=False)


@case(FAMILY, "stripped", "the signature taken out", R.SIGNATURE_MISSING)
def stripped(scene: Scene) -> Any:
    root = scene.signed()
    assertion_of(root).remove(signature_of(assertion_of(root)))
    return root


@case(FAMILY, "other-person", "the NameID changed after signing", R.SIGNATURE_INVALID)
def other_person(scene: Scene) -> str:
    return replaced(scene.signed(), ">anna@example.com<", ">admin@example.com<")


@case(FAMILY, "other-group", "a group changed after signing", R.SIGNATURE_INVALID)
def other_group(scene: Scene) -> str:
    return replaced(scene.signed(), ">Sales<", ">Admins<")


@case(FAMILY, "other-group-in-signed-response", "a group changed in a signed response", R.SIGNATURE_INVALID)
def other_group_in_response(scene: Scene) -> str:
    return replaced(scene.signed(assertion=False, response=True), ">Sales<", ">Admins<")


@case(
    FAMILY,
    "response-signature-broken",
    "sound assertion, response changed after signing",
    R.SIGNATURE_INVALID,
)
def response_broken(scene: Scene) -> str:
    return replaced(scene.signed(response=True), "<samlp:Status>", "<samlp:Status> ")


@case(FAMILY, "signature-value", "one sign of the signature value changed", R.SIGNATURE_INVALID)
def signature_value(scene: Scene) -> Any:
    root = scene.signed()
    value = find(root, "//ds:SignatureValue")
    value.text = ("B" if value.text.strip()[0] == "A" else "A") + value.text.strip()[1:]
    return root


@case(FAMILY, "digest-value", "the digest made anew over forged content", R.SIGNATURE_INVALID)
def digest_value(scene: Scene) -> Any:
    forged = scene.signed(scene.answer(name_id="admin@example.com"), key=scene.stranger)
    own = scene.signed()
    find(own, "//ds:DigestValue").text = find(forged, "//ds:DigestValue").text
    find(own, "//saml:NameID").text = "admin@example.com"
    return own


@case(FAMILY, "stranger", "signed by another tenant's identity provider", R.CERTIFICATE_UNKNOWN)
def stranger(scene: Scene) -> Any:
    return scene.signed(key=scene.stranger)


@case(
    FAMILY, "stranger-without-key-info", "signed by a stranger who shows no certificate", R.SIGNATURE_INVALID
)
def stranger_silent(scene: Scene) -> Any:
    return scene.signed(key=scene.stranger, options=SignOptions(with_certificate=False))


@case(
    FAMILY,
    "stranger-with-our-certificate",
    "a stranger's key, the trusted certificate shown",
    R.SIGNATURE_INVALID,
)
def stranger_disguised(scene: Scene) -> Any:
    return scene.signed(key=KeyPair(scene.stranger.private_pem, scene.idp.certificate_pem))


@case(FAMILY, "weak-key", "signed with 1,024 bits, certificate shown", R.CERTIFICATE_UNKNOWN)
def weak_key(scene: Scene) -> Any:
    return scene.signed(key=key_pair("weak", "weak"))


@case(FAMILY, "key-value", "a stranger's bare KeyValue", R.SIGNATURE_INVALID)
def key_value(scene: Scene) -> Any:
    def edit(signature: Any) -> None:
        info = etree.SubElement(signature, f"{{{DS}}}KeyInfo")
        etree.SubElement(info, f"{{{DS}}}KeyValue")

    return scene.signed(key=scene.stranger, options=SignOptions(with_certificate=False, edit=edit))


def _public_der(key: KeyPair) -> bytes:
    public = load_pem_x509_certificate(key.certificate_pem.encode()).public_key()
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


for _name, _secret in (
    ("hmac-with-public-key", _public_der),
    ("hmac-with-certificate", lambda key: key.certificate_pem.encode()),
):

    @case(FAMILY, _name, "HMAC keyed with what everybody knows", R.SIGNATURE_ALGORITHM)
    def hmac(scene: Scene, secret: Any = _secret) -> Any:
        options = SignOptions(
            method=constants.TransformHmacSha256, with_certificate=False, hmac_key=secret(scene.idp)
        )
        return scene.signed(options=options)


def _algorithm(name: str, attack: str, reason: R, **options: Any) -> None:
    @case(FAMILY, name, attack, reason)
    def build(scene: Scene) -> Any:
        return scene.signed(options=SignOptions(**options))


_algorithm("rsa-sha1", "RSA-SHA1", R.SIGNATURE_ALGORITHM, method=constants.TransformRsaSha1)
_algorithm("rsa-sha224", "RSA-SHA224", R.SIGNATURE_ALGORITHM, method=constants.TransformRsaSha224)
_algorithm("digest-sha1", "a SHA-1 digest", R.DIGEST_ALGORITHM, digest=constants.TransformSha1)
_algorithm(
    "inclusive-signed-info",
    "inclusive canonicalization of SignedInfo",
    R.CANONICALIZATION_ALGORITHM,
    c14n=constants.TransformInclC14N,
)
_algorithm(
    "inclusive-transform",
    "inclusive canonicalization of the content",
    R.SIGNATURE_TRANSFORMS,
    transforms=(constants.TransformEnveloped, constants.TransformInclC14N),
)
_algorithm(
    "no-canonicalization",
    "no canonicalization named",
    R.SIGNATURE_TRANSFORMS,
    transforms=(constants.TransformEnveloped,),
)


def _relabelled(name: str, attack: str, path: str, algorithm: str, reason: R) -> None:
    """What cannot be signed here is written into a signed message: the check comes before the crypto."""

    @case(FAMILY, name, attack, reason)
    def build(scene: Scene) -> Any:
        root = scene.signed()
        find(root, path).set("Algorithm", algorithm)
        return root


_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_relabelled("rsa-md5", "RSA-MD5", "//ds:SignatureMethod", f"{_MORE}rsa-md5", R.SIGNATURE_ALGORITHM)
_relabelled("digest-md5", "an MD5 digest", "//ds:DigestMethod", f"{_MORE}md5", R.DIGEST_ALGORITHM)
_relabelled("dsa-sha1", "DSA", "//ds:SignatureMethod", f"{DS}dsa-sha1", R.SIGNATURE_ALGORITHM)
_relabelled(
    "algorithm-none", "an algorithm named none", "//ds:SignatureMethod", "none", R.SIGNATURE_ALGORITHM
)
_relabelled(
    "ecdsa-label",
    "ECDSA named over an RSA signature",
    "//ds:SignatureMethod",
    f"{_MORE}ecdsa-sha256",
    R.SIGNATURE_INVALID,
)
_relabelled(
    "c14n-with-comments",
    "canonicalization that keeps comments",
    "//ds:CanonicalizationMethod",
    f"{_C14N}WithComments",
    R.CANONICALIZATION_ALGORITHM,
)


def _edited(family: str, name: str, attack: str, reason: R) -> Callable[[Edit], Edit]:
    """The function below changes the Signature of a signed message."""

    def register(edit: Edit) -> Edit:
        @case(family, name, attack, reason)
        def build(scene: Scene) -> Any:
            root = scene.signed()
            edit(signature_of(assertion_of(root)))
            return root

        return edit

    return register


@_edited(FAMILY, "two-signed-infos", "a second SignedInfo (CVE-2025-29774)", R.SIGNATURE_SHAPE)
def two_signed_infos(signature: Any) -> None:
    signature.insert(0, copy.deepcopy(signature[0]))


@_edited(FAMILY, "two-signature-values", "a second SignatureValue", R.SIGNATURE_SHAPE)
def two_signature_values(signature: Any) -> None:
    signature.insert(1, copy.deepcopy(signature[1]))


@_edited(FAMILY, "two-digest-values", "a second DigestValue", R.SIGNATURE_SHAPE)
def two_digest_values(signature: Any) -> None:
    reference = signature[0][2]
    reference.append(copy.deepcopy(reference[2]))


@_edited(FAMILY, "element-in-digest", "an element within DigestValue", R.SIGNATURE_SHAPE)
def element_in_digest(signature: Any) -> None:
    etree.SubElement(signature[0][2][2], "{urn:x}x")


@_edited(FAMILY, "object", "an Object in the Signature", R.SIGNATURE_SHAPE)
def object_(signature: Any) -> None:
    etree.SubElement(signature, f"{{{DS}}}Object")


@_edited(FAMILY, "hmac-output-length", "a truncation asked for in SignatureMethod", R.SIGNATURE_SHAPE)
def hmac_output_length(signature: Any) -> None:
    etree.SubElement(signature[0][1], f"{{{DS}}}HMACOutputLength").text = "1"


@_edited(FAMILY, "digest-no-base64", "a DigestValue that is no base64", R.SIGNATURE_SHAPE)
def digest_no_base64(signature: Any) -> None:
    signature[0][2][2].text = "!!!"


@_edited(FAMILY, "signature-empty", "an empty SignatureValue", R.SIGNATURE_SHAPE)
def signature_empty(signature: Any) -> None:
    signature[1].text = ""


@_edited(FAMILY, "huge-key-info", "500 certificates in KeyInfo", R.SIGNATURE_SHAPE)
def huge_key_info(signature: Any) -> None:
    for _ in range(500):
        etree.SubElement(signature[2], f"{{{DS}}}X509Data")


@_edited(BOMBS, "many-references", "350 references in an unverified signature", R.SIGNATURE_SHAPE)
def many_references(signature: Any) -> None:
    for _ in range(350):
        signature[0].append(copy.deepcopy(signature[0][2]))


@_edited(BOMBS, "many-transforms", "1,500 canonicalizations", R.SIGNATURE_TRANSFORMS)
def many_transforms(signature: Any) -> None:
    for _ in range(1_500):
        etree.SubElement(signature[0][2][0], f"{{{DS}}}Transform", Algorithm=_C14N)


def _xslt(depth: int) -> Any:
    sheet = '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0">'
    calls = "".join(
        f'<xsl:template name="t{n}"><xsl:call-template name="t{n + 1}"/><xsl:call-template name="t{n + 1}"/>'
        "</xsl:template>"
        for n in range(depth)
    )
    return parse(
        f'{sheet}<xsl:template match="/"><xsl:call-template name="t0"/></xsl:template>{calls}'
        f'<xsl:template name="t{depth}"/></xsl:stylesheet>'
    )


@_edited(BOMBS, "xslt", "an XSLT that doubles 20 times (1.7 s in the library)", R.SIGNATURE_TRANSFORMS)
def xslt(signature: Any) -> None:
    transform = etree.SubElement(signature[0][2][0], f"{{{DS}}}Transform", Algorithm=_XSLT)
    transform.append(_xslt(20))


@_edited(BOMBS, "xslt-for-c14n", "an XSLT in the place of the canonicalization", R.SIGNATURE_TRANSFORMS)
def xslt_for_c14n(signature: Any) -> None:
    transform = signature[0][2][0][1]
    transform.set("Algorithm", _XSLT)
    transform.append(_xslt(20))


@_edited(BOMBS, "xslt-within-c14n", "an XSLT as child of an allowed transform", R.SIGNATURE_SHAPE)
def xslt_within_c14n(signature: Any) -> None:
    signature[0][2][0][1].append(_xslt(20))


@_edited(BOMBS, "xpath", "an XPath transform", R.SIGNATURE_TRANSFORMS)
def xpath(signature: Any) -> None:
    transform = etree.SubElement(
        signature[0][2][0], f"{{{DS}}}Transform", Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"
    )
    etree.SubElement(transform, f"{{{DS}}}XPath").text = "count(//. | //@* | //namespace::*) > 0"


@_edited(BOMBS, "base64-transform", "a base64 transform", R.SIGNATURE_TRANSFORMS)
def base64_transform(signature: Any) -> None:
    signature[0][2][0][0].set("Algorithm", f"{DS}base64")


@_edited(BOMBS, "transforms-swapped", "canonicalization before enveloped-signature", R.SIGNATURE_TRANSFORMS)
def transforms_swapped(signature: Any) -> None:
    signature[0][2][0].append(signature[0][2][0][0])


@_edited(BOMBS, "many-prefixes", "3,000 prefixes to treat as inclusive", R.SIGNATURE_SHAPE)
def many_prefixes(signature: Any) -> None:
    inclusive = etree.SubElement(signature[0][2][0][1], f"{{{_C14N}}}InclusiveNamespaces")
    inclusive.set("PrefixList", " ".join(f"n{n}" for n in range(3_000)))


@case(FAMILY, "retrieval-method", "a KeyInfo that points elsewhere is ignored, never fetched", ACCEPTED)
def retrieval_method(scene: Scene) -> Any:
    root = scene.signed(options=SignOptions(with_certificate=False))
    info = etree.SubElement(signature_of(assertion_of(root)), f"{{{DS}}}KeyInfo")
    etree.SubElement(info, f"{{{DS}}}RetrievalMethod", URI="http://127.0.0.1:9/key")
    return root


@case(ENCRYPTION, "encrypted-for-others", "encrypted for somebody else's key", R.DECRYPTION_FAILED)
def encrypted_for_others(scene: Scene) -> Any:
    return encrypt(scene.signed(), scene.stranger)


@case(ENCRYPTION, "ciphertext-changed", "one byte of the ciphertext changed", R.DECRYPTION_FAILED)
def ciphertext_changed(scene: Scene) -> Any:
    root = encrypt(scene.signed(), scene.sp_keys[0], content=constants.TransformAes256Gcm)
    value = root.xpath("//xenc:EncryptedData/xenc:CipherData/xenc:CipherValue", namespaces={"xenc": XENC})[0]
    data = bytearray(base64.b64decode(value.text))
    data[len(data) // 2] ^= 1
    value.text = base64.b64encode(data).decode()
    return root


@case(ENCRYPTION, "rsa-1-5", "the key transport of Bleichenbacher's attack", R.ENCRYPTION_ALGORITHM)
def rsa_1_5(scene: Scene) -> Any:
    return encrypt(scene.signed(), scene.sp_keys[0], transport=constants.TransformRsaPkcs1)


@case(ENCRYPTION, "triple-des", "3DES named for the content", R.ENCRYPTION_ALGORITHM)
def triple_des(scene: Scene) -> Any:
    root = encrypt(scene.signed(), scene.sp_keys[0])
    find(root, "//xenc:EncryptedData/xenc:EncryptionMethod").set("Algorithm", f"{XENC}tripledes-cbc")
    return root


@case(ENCRYPTION, "cipher-reference", "ciphertext on another host", R.ENCRYPTION_SHAPE)
def cipher_reference(scene: Scene) -> Any:
    root = encrypt(scene.signed(), scene.sp_keys[0])
    data = find(root, "//xenc:EncryptedData/xenc:CipherData")
    data.remove(data[0])
    etree.SubElement(data, f"{{{XENC}}}CipherReference", URI="http://127.0.0.1:9/x")
    return root


@case(ENCRYPTION, "many-keys", "200 EncryptedKeys", R.ENCRYPTION_SHAPE)
def many_keys(scene: Scene) -> Any:
    root = encrypt(scene.signed(), scene.sp_keys[0])
    key = find(root, "//xenc:EncryptedKey")
    for _ in range(200):
        key.addnext(copy.deepcopy(key))
    return root


@case(
    ENCRYPTION, "anybody-encrypts", "a forged assertion, encrypted with our public key", R.SIGNATURE_MISSING
)
def anybody_encrypts(scene: Scene) -> Any:
    root = parse(scene.answer().xml)
    root.replace(assertion_of(root), evil_twin(scene))
    return encrypt(root, scene.sp_keys[0])


@case(ENCRYPTION, "wrapping-within", "a forged assertion around the signed one, encrypted", R.ASSERTION_COUNT)
def wrapping_within(scene: Scene) -> Any:
    root = scene.signed()
    signed = assertion_of(root)
    evil = evil_twin(scene)
    root.replace(signed, evil)
    evil.append(signed)
    return encrypt(root, scene.sp_keys[0])


@case(ENCRYPTION, "changed-within", "the assertion changed before encryption", R.SIGNATURE_INVALID)
def changed_within(scene: Scene) -> Any:
    root = parse(text_of(scene.signed()).replace(">anna@example.com<", ">admin@example.com<", 1))
    return encrypt(root, scene.sp_keys[0])


@case(ENCRYPTION, "ciphertext-swapped", "another ciphertext in a signed response", R.SIGNATURE_INVALID)
def ciphertext_swapped(scene: Scene) -> Any:
    def whole(name_id: str) -> Any:
        answer = scene.answer(name_id=name_id)
        root = encrypt(scene.signed(answer, assertion=False), scene.sp_keys[0])
        return sign(root, "/samlp:Response", scene.idp)

    victim, other = whole(scene.name_id), whole("admin@example.com")
    path = "//saml:EncryptedAssertion"
    victim.replace(find(victim, path), find(other, path))
    return victim


def _accepted(family: str, name: str, attack: str, build: Any) -> None:
    case(family, name, attack, ACCEPTED)(build)


_accepted(FAMILY, "good-assertion", "sound: assertion signed", lambda scene: scene.signed())
_accepted(FAMILY, "good-both", "sound: both signed", lambda scene: scene.signed(response=True))
_accepted(
    FAMILY,
    "good-response",
    "sound: response signed",
    lambda scene: scene.signed(assertion=False, response=True),
)
_accepted(
    FAMILY,
    "good-sha512",
    "sound: RSA-SHA512 with SHA-384 digest",
    lambda scene: scene.signed(
        options=SignOptions(method=constants.TransformRsaSha512, digest=constants.TransformSha384)
    ),
)
_accepted(
    FAMILY,
    "good-without-key-info",
    "sound: no KeyInfo",
    lambda scene: scene.signed(options=SignOptions(with_certificate=False)),
)
_accepted(
    FAMILY,
    "good-line-breaks",
    "sound: base64 in lines of 76",
    lambda scene: base64.encodebytes(text_of(scene.signed()).encode()).decode(),
)
_accepted(
    FAMILY,
    "good-declaration",
    "sound: with an XML declaration",
    lambda scene: encoded_text('<?xml version="1.0" encoding="UTF-8"?>' + text_of(scene.signed())),
)
_accepted(
    ENCRYPTION,
    "good-newest-key",
    "sound: for our newest key",
    lambda scene: encrypt(scene.signed(), scene.sp_keys[0]),
)
_accepted(
    ENCRYPTION,
    "good-old-key",
    "sound: for our retiring key",
    lambda scene: encrypt(scene.signed(), scene.sp_keys[1]),
)
_accepted(
    ENCRYPTION,
    "good-gcm",
    "sound: AES-128-GCM",
    lambda scene: encrypt(scene.signed(), scene.sp_keys[0], content=constants.TransformAes128Gcm),
)
_accepted(
    ENCRYPTION,
    "good-signed-around",
    "sound: encrypted, then the response signed",
    lambda scene: sign(
        encrypt(scene.signed(assertion=False), scene.sp_keys[0]), "/samlp:Response", scene.idp
    ),
)
