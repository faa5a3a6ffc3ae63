"""The second verifier, python3-saml in strict mode, on the very tree that the first has judged; pure.

Every setting that it would otherwise look up or assume is passed. It reads no clock: times were judged by
`conditions` on the given one, and its own bounds are narrower than `CLOCK_SKEW`.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from lxml import etree
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from app.sso.saml.assertion import Expectation, SignaturePolicy
from app.sso.saml.certificates import Certificate
from app.sso.saml.library_errors import LibraryError, library_errors
from app.sso.saml.names import Element, children, tag
from app.sso.saml.reasons import ReasonCode, RefusedError, Step

_TIMES = ("NotBefore", "NotOnOrAfter")
_CONFIRMATIONS = "/saml:Subject/saml:SubjectConfirmation"

_WANTS_ASSERTION = (SignaturePolicy.ASSERTION, SignaturePolicy.BOTH)
_WANTS_RESPONSE = (SignaturePolicy.RESPONSE, SignaturePolicy.BOTH)


class _Response(OneLogin_Saml2_Response):  # type: ignore[misc]  # The library has no types.
    """The library's judge over trees that are already parsed and decrypted."""

    def __init__(self, settings: OneLogin_Saml2_Settings, document: Element, plain: Element | None) -> None:
        self._settings = settings
        self._error = None
        self.document = document
        self.decrypted_document = plain
        self.encrypted = plain is not None
        self.valid_scd_not_on_or_after = None

    def validate_timestamps(self, **_options: Any) -> bool:
        return True

    def get_session_not_on_or_after(self) -> None:
        return None

    def _query_assertion(self, xpath_expr: str) -> list[Element]:
        found: list[Element] = super()._query_assertion(xpath_expr)
        if xpath_expr != _CONFIRMATIONS:
            return found
        return [_without_times(confirmation) for confirmation in found]

    def assertion(self) -> Element:
        """The assertion that the library would read."""
        return self._query_assertion("")[0]


def confirm(
    document: Element,
    plain: Element | None,
    assertion: Element,
    certificates: Sequence[Certificate],
    expectation: Expectation,
) -> None:
    """The second verifier accepts the response and reads the same assertion; raises `RefusedError`.

    `plain` is the decrypted document, if there was anything to decrypt; `certificates` are those that the
    first verifier used.
    """
    try:
        with library_errors():
            response = _Response(
                OneLogin_Saml2_Settings(_settings(certificates, expectation)), document, plain
            )
            valid = response.is_valid(_request_data(expectation.acs_url))
            error = str(response.get_error() or "")
            same = valid and canonical(response.assertion()) == canonical(assertion)
    except LibraryError as problem:
        same, error = False, type(problem.__cause__).__name__
    if not same:
        raise RefusedError(
            ReasonCode.VERIFIERS_DISAGREE,
            Step.SECOND_VERIFIER,
            expected="acceptance of the same signed assertion",
            received=error or "another assertion",
        )


def canonical(element: Element) -> bytes:
    """The exclusive canonical form without the element's own signature."""
    bare = copy.deepcopy(element)
    for signature in children(bare, "ds:Signature"):
        bare.remove(signature)
    return bytes(etree.tostring(bare, method="c14n", exclusive=True, with_comments=False))


def _without_times(confirmation: Element) -> Element:
    timeless = copy.deepcopy(confirmation)
    for data in timeless.iter(tag("saml:SubjectConfirmationData")):
        for name in _TIMES:
            data.attrib.pop(name, None)
    return timeless


def _settings(certificates: Sequence[Certificate], expectation: Expectation) -> Mapping[str, Any]:
    # The library changes the settings in place, so they are made anew for each call.
    return {
        "strict": True,
        "debug": False,
        "sp": {
            "entityId": expectation.sp_entity_id,
            "assertionConsumerService": {"url": expectation.acs_url},
        },
        "idp": {
            "entityId": expectation.idp_entity_id,
            # Only its presence matters here, and an empty one is refused.
            "singleSignOnService": {"url": expectation.acs_url},
            "x509certMulti": {"signing": [certificate.pem for certificate in certificates]},
        },
        "security": {
            "wantAssertionsSigned": expectation.signature_policy in _WANTS_ASSERTION,
            "wantMessagesSigned": expectation.signature_policy in _WANTS_RESPONSE,
            "wantAttributeStatement": False,
            "wantNameId": True,
            "requestedAuthnContext": False,
            "failOnAuthnContextMismatch": False,
            "rejectDeprecatedAlgorithm": True,
            "allowRepeatAttributeName": True,
            "allowSingleLabelDomains": True,
        },
    }


def _request_data(acs_url: str) -> Mapping[str, str]:
    parts = urlsplit(acs_url)
    return {
        "https": "on" if parts.scheme == "https" else "off",
        "http_host": parts.netloc,
        "script_name": parts.path,
    }
