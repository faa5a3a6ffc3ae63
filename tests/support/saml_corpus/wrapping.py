"""Signature wrapping: the signed part is kept somewhere, and another one is offered for reading."""

import copy
from typing import Any

from lxml import etree

from app.sso.saml.reasons import ReasonCode as R
from tests.support.saml_corpus.case import assertion_of, case, encoded_text, evil_twin, signature_of, text_of
from tests.support.saml_idp import DS, SAML, SAMLP, Scene, encrypt, find, parse, sign

FAMILY = "wrapping"


def _object_with(element: Any) -> Any:
    wrapper = etree.Element(f"{{{DS}}}Object")
    wrapper.append(element)
    return wrapper


def _evil_response(root: Any) -> Any:
    """A copy of the whole response with another ID and another person, its signature kept."""
    text = text_of(root).replace("anna@example.com", "admin@example.com")
    evil = parse(text)
    evil.set("ID", "_evil")
    assertion_of(evil).set("ID", "_evil_assertion")
    return evil


def _bare(element: Any) -> Any:
    bare = copy.deepcopy(element)
    bare.remove(signature_of(bare))
    return bare


@case(FAMILY, "xsw-1", "the signed response within the signature of a forged one", R.ASSERTION_COUNT)
def xsw1(scene: Scene) -> Any:
    root = scene.signed(assertion=False, response=True)
    evil = _evil_response(root)
    signature_of(evil).append(_object_with(_bare(root)))
    return evil


@case(FAMILY, "xsw-2", "the signed response before the signature of a forged one", R.ASSERTION_COUNT)
def xsw2(scene: Scene) -> Any:
    root = scene.signed(assertion=False, response=True)
    evil = _evil_response(root)
    signature_of(evil).addprevious(_bare(root))
    return evil


@case(FAMILY, "xsw-3", "a forged assertion before the signed one", R.ASSERTION_COUNT)
def xsw3(scene: Scene) -> Any:
    root = scene.signed()
    assertion_of(root).addprevious(evil_twin(scene))
    return root


@case(FAMILY, "xsw-4", "the signed assertion within a forged one", R.ASSERTION_COUNT)
def xsw4(scene: Scene) -> Any:
    root = scene.signed()
    signed = assertion_of(root)
    evil = evil_twin(scene)
    root.replace(signed, evil)
    evil.append(signed)
    return root


@case(
    FAMILY, "xsw-5", "the signature moved into a forged assertion, the signed one after it", R.ASSERTION_COUNT
)
def xsw5(scene: Scene) -> Any:
    root = scene.signed()
    signed = assertion_of(root)
    evil = evil_twin(scene)
    evil.insert(1, signature_of(signed))
    signed.addprevious(evil)
    return root


@case(FAMILY, "xsw-6", "the signed assertion within the signature of a forged one", R.ASSERTION_COUNT)
def xsw6(scene: Scene) -> Any:
    root = scene.signed()
    signed = assertion_of(root)
    evil = evil_twin(scene)
    root.replace(signed, evil)
    signature = signature_of(signed)
    evil.insert(1, signature)
    signature.append(signed)
    return root


@case(FAMILY, "xsw-7", "a forged assertion in Extensions", R.ASSERTION_COUNT)
def xsw7(scene: Scene) -> Any:
    root = scene.signed()
    extensions = etree.Element(f"{{{SAMLP}}}Extensions")
    extensions.append(evil_twin(scene))
    root.insert(1, extensions)
    return root


@case(FAMILY, "xsw-8", "the signed assertion in an Object of a forged one's signature", R.ASSERTION_COUNT)
def xsw8(scene: Scene) -> Any:
    root = scene.signed()
    signed = assertion_of(root)
    evil = evil_twin(scene)
    root.replace(signed, evil)
    signature = signature_of(signed)
    evil.insert(1, signature)
    signature.append(_object_with(signed))
    return root


@case(FAMILY, "same-id-twice", "a forged element with the signed ID", R.ID_REPEATED)
def same_id_twice(scene: Scene) -> Any:
    root = scene.signed()
    extensions = etree.Element(f"{{{SAMLP}}}Extensions")
    etree.SubElement(extensions, "{urn:x}twin", ID=assertion_of(root).get("ID"))
    root.insert(1, extensions)
    return root


@case(FAMILY, "same-id-as-signature", "the Signature's Id equals the signed ID", R.ID_REPEATED)
def same_id_as_signature(scene: Scene) -> Any:
    root = scene.signed()
    signature_of(assertion_of(root)).set("Id", assertion_of(root).get("ID"))
    return root


@case(FAMILY, "foreign-id", "an ID attribute of a foreign namespace", R.ID_REPEATED)
def foreign_id(scene: Scene) -> Any:
    root = scene.signed()
    root.set("{urn:x}ID", assertion_of(root).get("ID"))
    return root


@case(FAMILY, "xml-id", "xml:id with the signed ID", R.ID_REPEATED)
def xml_id(scene: Scene) -> Any:
    root = scene.signed()
    find(root, "//samlp:Status").set("{http://www.w3.org/XML/1998/namespace}id", assertion_of(root).get("ID"))
    return root


@case(FAMILY, "assertion-in-extensions", "the only assertion in Extensions", R.ASSERTION_MISPLACED)
def assertion_in_extensions(scene: Scene) -> Any:
    root = scene.signed()
    extensions = etree.Element(f"{{{SAMLP}}}Extensions")
    extensions.append(assertion_of(root))
    root.insert(1, extensions)
    return root


@case(FAMILY, "assertion-in-advice", "a second assertion in Advice", R.ASSERTION_COUNT)
def assertion_in_advice(scene: Scene) -> Any:
    advice = evil_twin(scene)
    answer = scene.answer(extra_conditions="")
    text = answer.xml.replace(
        "<saml:AuthnStatement", f"<saml:Advice>{text_of(advice)}</saml:Advice><saml:AuthnStatement", 1
    )
    return sign(parse(text), f"//saml:Assertion[@ID='{answer.assertion_id}']", scene.idp)


@case(FAMILY, "no-assertion", "a signed response without an assertion", R.ASSERTION_COUNT)
def no_assertion(scene: Scene) -> Any:
    root = parse(scene.answer().xml)
    root.remove(assertion_of(root))
    return sign(root, "/samlp:Response", scene.idp)


@case(FAMILY, "two-signed-assertions", "two assertions, each signed", R.ASSERTION_COUNT)
def two_signed_assertions(scene: Scene) -> Any:
    root = scene.signed()
    second = scene.signed(scene.answer(assertion_id="_second", response_id="_r2"))
    root.append(assertion_of(second))
    return root


@case(FAMILY, "plain-and-encrypted", "a forged plain assertion beside an encrypted one", R.ASSERTION_COUNT)
def plain_and_encrypted(scene: Scene) -> Any:
    root = encrypt(scene.signed(), scene.sp_keys[0])
    root.append(evil_twin(scene))
    return root


@case(FAMILY, "decoy-signature", "a second, decoy Signature in the assertion", R.SIGNATURE_REPEATED)
def decoy_signature(scene: Scene) -> Any:
    root = scene.signed()
    signature = signature_of(assertion_of(root))
    signature.addprevious(copy.deepcopy(signature))
    return root


@case(FAMILY, "three-signatures", "three signatures in all", R.SIGNATURE_REPEATED)
def three_signatures(scene: Scene) -> Any:
    root = scene.signed(response=True)
    find(root, "//samlp:Status").append(copy.deepcopy(signature_of(assertion_of(root))))
    return root


@case(FAMILY, "signature-in-status", "the only Signature below Status", R.SIGNATURE_MISPLACED)
def signature_in_status(scene: Scene) -> Any:
    root = scene.signed()
    find(root, "//samlp:Status").append(signature_of(assertion_of(root)))
    return root


@case(FAMILY, "signature-in-subject", "the Signature deeper in its assertion", R.SIGNATURE_MISPLACED)
def signature_in_subject(scene: Scene) -> Any:
    root = scene.signed()
    find(root, "//saml:Subject").append(signature_of(assertion_of(root)))
    return root


@case(
    FAMILY, "detached-to-response", "the assertion's Signature moved to the response", R.SIGNATURE_REFERENCE
)
def detached_to_response(scene: Scene) -> Any:
    root = scene.signed()
    root.insert(1, signature_of(assertion_of(root)))
    return root


@case(
    FAMILY, "whole-document-reference", "an empty reference, which means the document", R.SIGNATURE_REFERENCE
)
def whole_document_reference(scene: Scene) -> Any:
    root = scene.signed(assertion=False, response=True)
    find(root, "//ds:Reference").set("URI", "")
    return root


@case(FAMILY, "external-reference", "a reference to another host", R.SIGNATURE_REFERENCE)
def external_reference(scene: Scene) -> Any:
    root = scene.signed()
    find(root, "//ds:Reference").set("URI", "http://127.0.0.1:9/x.xml")
    return root


@case(FAMILY, "xpointer-reference", "a reference by XPointer", R.SIGNATURE_REFERENCE)
def xpointer_reference(scene: Scene) -> Any:
    root = scene.signed()
    find(root, "//ds:Reference").set("URI", f"#xpointer(id('{assertion_of(root).get('ID')}'))")
    return root


@case(
    FAMILY,
    "lookalike-assertion",
    "a forged Assertion of another namespace before the signed one",
    R.VERIFIERS_DISAGREE,
)
def lookalike_assertion(scene: Scene) -> str:
    root = scene.signed()
    forged = text_of(evil_twin(scene)).replace(SAML, "urn:x")
    text = text_of(root).replace("<saml:Assertion", f"{forged}<saml:Assertion", 1)
    return encoded_text(text)


@case(
    FAMILY,
    "prefix-swap",
    "the saml prefix bound to another namespace around the assertion",
    R.ASSERTION_COUNT,
)
def prefix_swap(scene: Scene) -> str:
    text = text_of(scene.signed())
    return encoded_text(text.replace(f'xmlns:saml="{SAML}"', 'xmlns:saml="urn:x"'))


@case(FAMILY, "second-issuer", "a second Issuer in the response", R.ISSUER_MISSING)
def second_issuer(scene: Scene) -> Any:
    root = scene.signed()
    root.insert(1, copy.deepcopy(root[0]))
    return root
