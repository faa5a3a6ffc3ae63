"""lxml and xmlsec must share one libxml2, or signatures fail in strange ways: locked as a pair."""

import importlib
from typing import Any

import lxml.etree
from onelogin.saml2.auth import OneLogin_Saml2_Auth


def test_lxml_and_xmlsec_sign_and_verify_together() -> None:
    """An element that lxml built is signed and verified by xmlsec in the same process."""
    # Its type stubs export nothing.
    xmlsec: Any = importlib.import_module("xmlsec")
    root = lxml.etree.fromstring(b'<r xmlns="urn:x" ID="a"><c>text</c></r>')
    signature = xmlsec.template.create(root, xmlsec.Transform.EXCL_C14N, xmlsec.Transform.HMAC_SHA256)
    root.append(signature)
    reference = xmlsec.template.add_reference(signature, xmlsec.Transform.SHA256)
    xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
    for act in ("sign", "verify"):
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_binary_data(xmlsec.KeyData.HMAC, b"0" * 32)
        getattr(context, act)(signature)


def test_the_saml_library_loads_over_the_pair() -> None:
    assert OneLogin_Saml2_Auth.__name__ == "OneLogin_Saml2_Auth"
