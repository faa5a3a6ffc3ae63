"""The shape of a response before it is believed: one assertion, signatures where they belong; pure."""

from lxml import etree

from app.sso.saml import signatures
from app.sso.saml.names import PREFIXES, Element, children, tag, text_of
from app.sso.saml.parsing import check_id
from app.sso.saml.reasons import ReasonCode, RefusedError, Step

MAX_SIGNATURES = 2
_ASSERTIONS = etree.XPath("//saml:Assertion | //saml:EncryptedAssertion", namespaces=PREFIXES)


def check_response(root: Element) -> Element:
    """The only Assertion or EncryptedAssertion of a response of sound shape; raises `RefusedError`."""
    check_message(root, "samlp:Response")
    assertion = _only_assertion(root)
    check_signatures(root, *([assertion] if assertion.tag == tag("saml:Assertion") else []))
    return assertion


def check_message(root: Element, *names: str) -> None:
    """The message is one of these, of version 2.0, with an ID that a reference can name."""
    if root.tag not in [tag(name) for name in names]:
        raise RefusedError(
            ReasonCode.WRONG_MESSAGE, Step.SHAPE, expected=" or ".join(names), received=root.tag
        )
    _check_version(root)


def check_signatures(*parents: Element) -> None:
    """Each Signature of the document is a child of one of these, at most one each, and of the known shape."""
    found = signatures.signatures_in(parents[0])
    if len(found) > MAX_SIGNATURES:
        raise RefusedError(
            ReasonCode.SIGNATURE_REPEATED,
            Step.SHAPE,
            expected=f"at most {MAX_SIGNATURES}",
            received=str(len(found)),
        )
    for signature in found:
        if not any(signature.getparent() is parent for parent in parents):
            raise RefusedError(
                ReasonCode.SIGNATURE_MISPLACED, Step.SHAPE, received=str(signature.getparent().tag)
            )
    for parent in parents:
        if len(children(parent, "ds:Signature")) > 1:
            raise RefusedError(ReasonCode.SIGNATURE_REPEATED, Step.SHAPE, expected="one in each element")
    for signature in found:
        signatures.check_shape(signature)


def signature_of(parent: Element) -> Element | None:
    return next(iter(children(parent, "ds:Signature")), None)


def check_issuer(parent: Element, expected: str, *, required: bool) -> None:
    """The Issuer is there once (or absent, where that is allowed) and equals the connection's entity id."""
    found = children(parent, "saml:Issuer")
    if not found and not required:
        return
    if len(found) != 1:
        raise RefusedError(ReasonCode.ISSUER_MISSING, Step.ISSUER, expected=expected)
    if text_of(found[0]) != expected:
        raise RefusedError(
            ReasonCode.ISSUER_MISMATCH, Step.ISSUER, expected=expected, received=text_of(found[0])
        )


def _only_assertion(root: Element) -> Element:
    found = _ASSERTIONS(root)
    if len(found) != 1:
        raise RefusedError(
            ReasonCode.ASSERTION_COUNT, Step.SHAPE, expected="1 assertion", received=str(len(found))
        )
    assertion = found[0]
    if assertion.getparent() is not root:
        raise RefusedError(
            ReasonCode.ASSERTION_MISPLACED, Step.SHAPE, received=str(assertion.getparent().tag)
        )
    if assertion.tag == tag("saml:Assertion"):
        _check_version(assertion)
    return assertion


def _check_version(element: Element) -> None:
    if element.get("Version") != "2.0":
        raise RefusedError(
            ReasonCode.WRONG_VERSION, Step.SHAPE, expected="2.0", received=element.get("Version", "")
        )
    check_id(element.get("ID"), Step.SHAPE)
