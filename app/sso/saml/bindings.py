"""How messages travel: HTTP-Redirect (deflated, signed over the raw query) and HTTP-POST (a form); pure."""

import base64
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, unquote_plus

from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from app.sso.saml.certificates import Certificate, SpKey
from app.sso.saml.names import children, tag
from app.sso.saml.parsing import MAX_MESSAGE_BYTES, decode_base64, inflate, single_parameters
from app.sso.saml.query_signature import RSA_SHA256, sign_query, verify_query
from app.sso.saml.reasons import ReasonCode, RefusedError, Step

MESSAGES = ("SAMLRequest", "SAMLResponse")


@dataclass(frozen=True, slots=True)
class PostForm:
    """A form that the browser shall post to `action`; the page that renders it escapes the values."""

    action: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AcsForm:
    saml_response: str
    relay_state: str


@dataclass(frozen=True, slots=True)
class SignedQuery:
    """A message by Redirect whose signature holds; `parameter` is one of `MESSAGES`."""

    parameter: str
    xml: bytes
    relay_state: str
    certificate: Certificate


def redirect_url(
    destination: str, parameter: str, xml: bytes, *, relay_state: str = "", key: SpKey | None = None
) -> str:
    """`destination` with `parameter` (`SAMLRequest` or `SAMLResponse`); signed when a key is given."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = compressor.compress(xml) + compressor.flush()
    pairs = [(parameter, base64.b64encode(deflated).decode())]
    if relay_state:
        pairs.append(("RelayState", relay_state))
    if key is not None:
        pairs.append(("SigAlg", RSA_SHA256))
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)
    if key is not None:
        query += "&Signature=" + quote(base64.b64encode(sign_query(query.encode(), key)), safe="")
    return f"{destination}{'&' if '?' in destination else '?'}{query}"


def post_form(
    destination: str, parameter: str, xml: bytes, *, relay_state: str = "", key: SpKey | None = None
) -> PostForm:
    """The same as a form, with an enveloped signature when a key is given."""
    signed = xml if key is None else _signed(xml, key)
    fields = {parameter: base64.b64encode(signed).decode()}
    if relay_state:
        fields["RelayState"] = relay_state
    return PostForm(destination, fields)


def read_acs_form(fields: Iterable[tuple[str, str]]) -> AcsForm:
    """The fields of the POST to the ACS, in any order; a repeated or missing one raises `RefusedError`."""
    found = single_parameters(fields, ("SAMLResponse", "RelayState", "SAMLart"))
    if "SAMLResponse" not in found:
        raise RefusedError(ReasonCode.PARAMETER_MISSING, Step.PARAMETERS, expected="SAMLResponse")
    return AcsForm(found["SAMLResponse"], found.get("RelayState", ""))


def which_message(found: Mapping[str, str]) -> str:
    """The one of `MESSAGES` that is there."""
    names = [name for name in MESSAGES if name in found]
    if len(names) != 1:
        reason = ReasonCode.PARAMETER_REPEATED if names else ReasonCode.PARAMETER_MISSING
        raise RefusedError(
            reason, Step.PARAMETERS, expected=" or ".join(MESSAGES), received=" and ".join(names)
        )
    return names[0]


def read_signed_query(raw_query: str, certificates: tuple[Certificate, ...]) -> SignedQuery:
    """The message of a Redirect, its signature verified over the escapes as they came.

    Raises `RefusedError`, for what is not signed too. The order in the signed text is the standard's, not
    that of the query.
    """
    if len(raw_query) > MAX_MESSAGE_BYTES:
        raise RefusedError(
            ReasonCode.TOO_LARGE, Step.PARAMETERS, expected=f"at most {MAX_MESSAGE_BYTES} bytes"
        )
    if not raw_query.isascii():
        raise RefusedError(ReasonCode.WRONG_ENCODING, Step.PARAMETERS, expected="ASCII, escaped")
    pairs = ((name, value) for name, _, value in (part.partition("=") for part in raw_query.split("&")))
    raw = single_parameters(pairs, (*MESSAGES, "RelayState", "SigAlg", "Signature", "SAMLEncoding"))
    parameter = which_message(raw)
    if "Signature" not in raw or "SigAlg" not in raw:
        raise RefusedError(ReasonCode.SIGNATURE_MISSING, Step.SIGNATURE, expected="SigAlg and Signature")
    order = [name for name in (parameter, "RelayState", "SigAlg") if name in raw]
    certificate = verify_query(
        "&".join(f"{name}={raw[name]}" for name in order).encode(),
        decode_base64(unquote(raw["Signature"])),
        unquote(raw["SigAlg"]),
        certificates,
    )
    return SignedQuery(
        parameter=parameter,
        xml=inflate(decode_base64(unquote(raw[parameter]))),
        relay_state=unquote_plus(raw.get("RelayState", "")),
        certificate=certificate,
    )


def _signed(xml: bytes, key: SpKey) -> bytes:
    root = etree.fromstring(xml)
    # The schema wants the signature right after the Issuer; signxml fills this place.
    placeholder = etree.Element(
        tag("ds:Signature"), Id="placeholder", nsmap={"ds": etree.QName(tag("ds:Signature")).namespace}
    )
    root.insert(root.index(children(root, "saml:Issuer")[0]) + 1, placeholder)
    signer = XMLSigner(
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signed = signer.sign(
        root, key=key.private_key(), cert=key.certificate_pem, reference_uri=f"#{root.get('ID')}"
    )
    return bytes(etree.tostring(signed, encoding="UTF-8"))
