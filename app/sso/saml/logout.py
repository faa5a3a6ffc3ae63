"""Single logout messages, built and judged; pure.

A signature is always demanded: over the raw query string by Redirect (Entra escapes in lower case), as an
enveloped XML signature by POST. Send with `bindings.redirect_url` or `bindings.post_form`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.clock import CLOCK_SKEW
from app.sso.saml.bindings import read_signed_query, which_message
from app.sso.saml.certificates import Certificate
from app.sso.saml.conditions import check_destination, check_not_future, check_not_past
from app.sso.saml.names import SUCCESS, Element, children, text_of
from app.sso.saml.parsing import decode_base64, instant, parse_message, single_parameters
from app.sso.saml.reading import name_id_of
from app.sso.saml.reasons import ReasonCode, RefusedError, Step
from app.sso.saml.shape import check_issuer, check_message, check_signatures, signature_of
from app.sso.saml.signatures import check_algorithms, signatures_in, verify_signature
from app.sso.saml.writing import add, instant_text, root_element, serialized

# How long after its making a message is taken, beside the skew; a NotOnOrAfter may only shorten it.
MAX_AGE = timedelta(minutes=5)
_NAMES = {"SAMLRequest": "samlp:LogoutRequest", "SAMLResponse": "samlp:LogoutResponse"}


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """Who shall be signed out. No session index means all sessions of the person."""

    id: str
    issuer: str
    destination: str
    issued_at: datetime
    name_id: str
    name_id_format: str = ""
    name_qualifier: str = ""
    session_indexes: tuple[str, ...] = ()
    not_on_or_after: datetime | None = None

    def xml(self) -> bytes:
        root = root_element("samlp:LogoutRequest", _envelope(self))
        if self.not_on_or_after is not None:
            root.set("NotOnOrAfter", instant_text(self.not_on_or_after))
        add(root, "saml:Issuer", self.issuer)
        add(root, "saml:NameID", self.name_id, Format=self.name_id_format, NameQualifier=self.name_qualifier)
        for session_index in self.session_indexes:
            add(root, "samlp:SessionIndex", session_index)
        return serialized(root)


@dataclass(frozen=True, slots=True)
class LogoutResponse:
    """`status` is the top-level status code's URN."""

    id: str
    issuer: str
    destination: str
    issued_at: datetime
    in_response_to: str
    status: str = SUCCESS

    def xml(self) -> bytes:
        root = root_element("samlp:LogoutResponse", {**_envelope(self), "InResponseTo": self.in_response_to})
        add(root, "saml:Issuer", self.issuer)
        add(add(root, "samlp:Status"), "samlp:StatusCode", Value=self.status)
        return serialized(root)


@dataclass(frozen=True, slots=True)
class LogoutExpectation:
    """`slo_url` is our address, which `Destination` must equal."""

    idp_entity_id: str
    certificates: tuple[Certificate, ...]
    slo_url: str


@dataclass(frozen=True, slots=True)
class Received:
    """A message that holds. The caller remembers `message.id` until `replay_until` and refuses it twice."""

    message: LogoutRequest | LogoutResponse
    relay_state: str
    signed_by: str
    replay_until: datetime


def verify_redirect(raw_query: str, expectation: LogoutExpectation, now: datetime) -> Received:
    """Judge a GET to the logout address by its query string exactly as it came; raises `RefusedError`."""
    signed = read_signed_query(raw_query, expectation.certificates)
    root = parse_message(signed.xml)
    check_message(root, _NAMES[signed.parameter])
    if signatures_in(root):
        # The binding's signature is the one that counts; another would only confuse.
        raise RefusedError(ReasonCode.SIGNATURE_MISPLACED, Step.SHAPE, received="in a message by Redirect")
    return _received(root, expectation, now, signed.relay_state, signed.certificate)


def verify_post(fields: Iterable[tuple[str, str]], expectation: LogoutExpectation, now: datetime) -> Received:
    """Judge a POST to the logout address by its form fields; raises `RefusedError`."""
    found = single_parameters(fields, (*_NAMES, "RelayState"))
    parameter = which_message(found)
    root = parse_message(decode_base64(found[parameter]))
    check_message(root, _NAMES[parameter])
    check_signatures(root)
    signature = signature_of(root)
    if signature is None:
        raise RefusedError(ReasonCode.SIGNATURE_MISSING, Step.SIGNATURE, expected="a signed message")
    check_issuer(root, expectation.idp_entity_id, required=True)
    check_algorithms(signature)
    signed = verify_signature(root, signature, expectation.certificates, now)
    return _received(signed.element, expectation, now, found.get("RelayState", ""), signed.certificate)


def _received(
    root: Element,
    expectation: LogoutExpectation,
    now: datetime,
    relay_state: str,
    certificate: Certificate,
) -> Received:
    check_issuer(root, expectation.idp_entity_id, required=True)
    check_destination(root, expectation.slo_url)
    issued_at = instant(root.get("IssueInstant", ""), Step.CONDITIONS)
    check_not_future(issued_at, now, Step.CONDITIONS)
    # Not in the future, so the sum is no later than any calendar.
    end = issued_at + MAX_AGE
    check_not_past(end, now, Step.CONDITIONS)
    is_request = root.tag.endswith("}LogoutRequest")
    message = _request(root, now) if is_request else _response(root, issued_at)
    return Received(message, relay_state, certificate.fingerprint, end + CLOCK_SKEW)


def _request(root: Element, now: datetime) -> LogoutRequest:
    end_text = root.get("NotOnOrAfter")
    end = None if end_text is None else instant(end_text, Step.CONDITIONS)
    if end is not None:
        check_not_past(end, now, Step.CONDITIONS)
    name_id = name_id_of(root)
    return LogoutRequest(
        id=root.get("ID"),
        issuer=text_of(children(root, "saml:Issuer")[0]),
        destination=root.get("Destination"),
        issued_at=instant(root.get("IssueInstant", ""), Step.CONDITIONS),
        name_id=text_of(name_id),
        name_id_format=name_id.get("Format", ""),
        name_qualifier=name_id.get("NameQualifier", ""),
        session_indexes=tuple(text_of(part) for part in children(root, "samlp:SessionIndex")),
        not_on_or_after=end,
    )


def _response(root: Element, issued_at: datetime) -> LogoutResponse:
    in_response_to = root.get("InResponseTo")
    codes = [
        code.get("Value", "")
        for status in children(root, "samlp:Status")
        for code in children(status, "samlp:StatusCode")
    ]
    if not in_response_to or len(codes) != 1:
        raise RefusedError(
            ReasonCode.WRONG_MESSAGE, Step.SHAPE, expected="InResponseTo and one status", received=str(codes)
        )
    return LogoutResponse(
        id=root.get("ID"),
        issuer=text_of(children(root, "saml:Issuer")[0]),
        destination=root.get("Destination"),
        issued_at=issued_at,
        in_response_to=in_response_to,
        status=codes[0],
    )


def _envelope(message: LogoutRequest | LogoutResponse) -> dict[str, str]:
    return {
        "ID": message.id,
        "Version": "2.0",
        "IssueInstant": instant_text(message.issued_at),
        "Destination": message.destination,
    }
