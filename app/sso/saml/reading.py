"""From the signed subtree of an assertion to plain values; what is unclear is refused; pure."""

from collections.abc import Mapping
from datetime import datetime

from app.sso.saml.assertion import Assertion, Expectation
from app.sso.saml.conditions import (
    check_conditions,
    check_confirmation,
    check_in_response_to,
    check_not_future,
    check_not_past,
)
from app.sso.saml.names import Element, children, tag, text_of
from app.sso.saml.parsing import check_id, instant
from app.sso.saml.reasons import ReasonCode, RefusedError, Step
from app.sso.saml.shape import check_issuer
from app.sso.saml.signatures import SignedSubtree


def read_assertion(
    response: Element, signed: SignedSubtree, expectation: Expectation, now: datetime, *, encrypted: bool
) -> Assertion:
    """Judge and read a verified assertion; `response` is only asked for its InResponseTo."""
    assertion = signed.element
    check_issuer(assertion, expectation.idp_entity_id, required=True)
    conditions_end = check_conditions(assertion, expectation, now)
    subject = _only_child(assertion, "saml:Subject", ReasonCode.SUBJECT_MISSING)
    in_response_to, confirmation_end = check_confirmation(subject, expectation, now)
    check_in_response_to(response, in_response_to)
    name_id = _name_id(subject, expectation.sp_entity_id)
    issued_at = instant(assertion.get("IssueInstant", ""), Step.CONDITIONS)
    check_not_future(issued_at, now, Step.CONDITIONS)
    statement = _only_child(assertion, "saml:AuthnStatement", ReasonCode.AUTHN_STATEMENT_COUNT)
    authn_instant = instant(statement.get("AuthnInstant", ""), Step.CONDITIONS)
    check_not_future(authn_instant, now, Step.CONDITIONS)
    return Assertion(
        assertion_id=check_id(assertion.get("ID"), Step.SHAPE),
        issuer=expectation.idp_entity_id,
        name_id=text_of(name_id),
        name_id_format=name_id.get("Format", ""),
        name_qualifier=name_id.get("NameQualifier", ""),
        in_response_to=in_response_to,
        issued_at=issued_at,
        not_on_or_after=min(conditions_end, confirmation_end),
        authn_instant=authn_instant,
        session_index=statement.get("SessionIndex", ""),
        session_not_on_or_after=_session_end(statement, now),
        attributes=_attributes(assertion),
        signed_by=signed.certificate.fingerprint,
        certificate_expired=signed.certificate.expired(now),
        encrypted=encrypted,
    )


def name_id_of(subject: Element) -> Element:
    """The one plain, non-empty NameID below `subject`."""
    if children(subject, "saml:EncryptedID"):
        raise RefusedError(ReasonCode.NAME_ID_ENCRYPTED, Step.SUBJECT, expected="a plain NameID")
    name_id = _only_child(subject, "saml:NameID", ReasonCode.NAME_ID_MISSING)
    if not text_of(name_id):
        raise RefusedError(ReasonCode.NAME_ID_MISSING, Step.SUBJECT, expected="a NameID with a value")
    return name_id


def _name_id(subject: Element, sp_entity_id: str) -> Element:
    name_id = name_id_of(subject)
    qualifier = name_id.get("SPNameQualifier", "")
    if qualifier not in ("", sp_entity_id):
        raise RefusedError(
            ReasonCode.NAME_QUALIFIER_MISMATCH, Step.SUBJECT, expected=sp_entity_id, received=qualifier
        )
    return name_id


def _session_end(statement: Element, now: datetime) -> datetime | None:
    text = statement.get("SessionNotOnOrAfter")
    if text is None:
        return None
    end = instant(text, Step.CONDITIONS)
    check_not_past(end, now, Step.CONDITIONS, ReasonCode.SESSION_EXPIRED)
    return end


def _attributes(assertion: Element) -> Mapping[str, tuple[str, ...]]:
    """Names and values as sent; a name that comes twice has the values of both. An empty value is kept."""
    found: dict[str, tuple[str, ...]] = {}
    for statement in children(assertion, "saml:AttributeStatement"):
        if children(statement, "saml:EncryptedAttribute"):
            raise RefusedError(ReasonCode.ATTRIBUTE_ENCRYPTED, Step.ATTRIBUTES)
        for attribute in children(statement, "saml:Attribute"):
            name = attribute.get("Name", "")
            values = [_value(value, name) for value in children(attribute, "saml:AttributeValue")]
            found[name] = (*found.get(name, ()), *values)
    return found


def _value(value: Element, name: str) -> str:
    """A text; a NameID within (as eduPersonTargetedID has it) counts as its text."""
    inner = children(value, "saml:NameID")
    element = inner[0] if len(value) == 1 and inner else value
    if len(element):
        raise RefusedError(ReasonCode.ATTRIBUTE_MALFORMED, Step.ATTRIBUTES, expected="a text", received=name)
    return text_of(element)


def _only_child(parent: Element, name: str, reason: ReasonCode) -> Element:
    found = parent.findall(tag(name))
    if len(found) != 1:
        raise RefusedError(reason, Step.SUBJECT, expected=f"1 {name}", received=str(len(found)))
    return found[0]
