"""Whether a signed assertion is meant for us, now: every bound is demanded and compared for equality; pure.

Reads only the signed subtree that it is given. The skew of `CLOCK_SKEW` holds for every time.
"""

from datetime import datetime

from lxml import etree

from app.core.clock import CLOCK_SKEW
from app.sso.saml.assertion import MAX_VALIDITY, Expectation
from app.sso.saml.names import BEARER, SUCCESS, Element, children, tag, text_of
from app.sso.saml.parsing import instant
from app.sso.saml.reasons import ReasonCode, RefusedError, Step

_KNOWN_CONDITIONS = frozenset(
    tag(name) for name in ("saml:AudienceRestriction", "saml:OneTimeUse", "saml:ProxyRestriction")
)


def check_status(response: Element) -> None:
    """What the identity provider itself says; its message goes to the trace."""
    found = children(response, "samlp:Status")
    codes = [code.get("Value", "") for status in found for code in status.iter(tag("samlp:StatusCode"))]
    if len(found) != 1 or codes[:1] != [SUCCESS]:
        messages = [text_of(part) for status in found for part in children(status, "samlp:StatusMessage")]
        raise RefusedError(
            ReasonCode.STATUS_NOT_SUCCESS,
            Step.STATUS,
            expected=SUCCESS,
            received=" ".join([*codes, *messages]),
        )


def check_destination(message: Element, expected: str) -> None:
    received = message.get("Destination")
    if not received:
        raise RefusedError(ReasonCode.DESTINATION_MISSING, Step.CONDITIONS, expected=expected)
    if received != expected:
        raise RefusedError(
            ReasonCode.DESTINATION_MISMATCH, Step.CONDITIONS, expected=expected, received=received
        )


def check_conditions(assertion: Element, expectation: Expectation, now: datetime) -> datetime:
    """The audience and the time limits hold; answers NotOnOrAfter."""
    found = children(assertion, "saml:Conditions")
    if len(found) != 1:
        raise RefusedError(
            ReasonCode.CONDITIONS_MISSING, Step.CONDITIONS, expected="1", received=str(len(found))
        )
    conditions = found[0]
    unknown = [part.tag for part in conditions if part.tag not in _KNOWN_CONDITIONS]
    if unknown:
        raise RefusedError(ReasonCode.CONDITION_UNKNOWN, Step.CONDITIONS, received=unknown[0])
    _check_audience(conditions, expectation.sp_entity_id)
    return check_period(conditions, now, Step.CONDITIONS)


def check_period(element: Element, now: datetime, step: Step) -> datetime:
    """NotBefore, where given, and NotOnOrAfter, which must be given; answers the latter."""
    end_text = element.get("NotOnOrAfter")
    if end_text is None:
        raise RefusedError(
            ReasonCode.TIME_LIMIT_MISSING, step, expected="NotOnOrAfter", received=_name(element)
        )
    end = instant(end_text, step)
    start_text = element.get("NotBefore")
    start = now if start_text is None else instant(start_text, step)
    check_not_future(start, now, step)
    check_not_past(end, now, step)
    if end - min(start, now) > MAX_VALIDITY + CLOCK_SKEW:
        raise RefusedError(
            ReasonCode.VALIDITY_TOO_LONG, step, expected=f"at most {MAX_VALIDITY}", received=end_text
        )
    return end


def check_not_future(moment: datetime, now: datetime, step: Step) -> None:
    if moment > now + CLOCK_SKEW:
        raise RefusedError(ReasonCode.NOT_YET_VALID, step, expected=_until(now), received=_apart(moment, now))


def check_not_past(end: datetime, now: datetime, step: Step, reason: ReasonCode = ReasonCode.EXPIRED) -> None:
    # Subtracted from now, because the end may be the last moment there is.
    if now - CLOCK_SKEW >= end:
        raise RefusedError(reason, step, expected=_until(now), received=_apart(end, now))


def check_confirmation(
    subject: Element, expectation: Expectation, now: datetime
) -> tuple[str | None, datetime]:
    """The one bearer confirmation names our address, now; answers InResponseTo and the time limit."""
    bearers = [
        confirmation
        for confirmation in children(subject, "saml:SubjectConfirmation")
        if confirmation.get("Method") == BEARER
    ]
    data = [part for bearer in bearers for part in children(bearer, "saml:SubjectConfirmationData")]
    if len(bearers) != 1 or len(data) != 1:
        raise RefusedError(
            ReasonCode.CONFIRMATION_COUNT,
            Step.SUBJECT,
            expected="1 bearer confirmation with its data",
            received=f"{len(bearers)} with {len(data)}",
        )
    recipient = data[0].get("Recipient")
    if not recipient:
        raise RefusedError(ReasonCode.RECIPIENT_MISSING, Step.SUBJECT, expected=expectation.acs_url)
    if recipient != expectation.acs_url:
        raise RefusedError(
            ReasonCode.RECIPIENT_MISMATCH, Step.SUBJECT, expected=expectation.acs_url, received=recipient
        )
    return data[0].get("InResponseTo"), check_period(data[0], now, Step.SUBJECT)


def check_in_response_to(response: Element, signed: str | None) -> None:
    """The signed value binds; an unsigned one that says otherwise, or is gone, was tampered with."""
    claimed = response.get("InResponseTo")
    if claimed != signed or signed == "":
        raise RefusedError(
            ReasonCode.IN_RESPONSE_TO_MISMATCH,
            Step.SUBJECT,
            expected=signed or "nothing in the signed confirmation",
            received=claimed or "nothing in the response",
        )


def _check_audience(conditions: Element, sp_entity_id: str) -> None:
    """Each restriction must hold; within one, any audience may be ours (SAML core 2.5.1.4)."""
    restrictions = children(conditions, "saml:AudienceRestriction")
    if not restrictions:
        raise RefusedError(ReasonCode.AUDIENCE_MISSING, Step.CONDITIONS, expected=sp_entity_id)
    for restriction in restrictions:
        audiences = [text_of(audience) for audience in children(restriction, "saml:Audience")]
        if sp_entity_id not in audiences:
            raise RefusedError(
                ReasonCode.AUDIENCE_MISMATCH,
                Step.CONDITIONS,
                expected=sp_entity_id,
                received=", ".join(audiences),
            )


def _until(now: datetime) -> str:
    return f"now is {now.isoformat()}, {CLOCK_SKEW.seconds} s are allowed"


def _apart(moment: datetime, now: datetime) -> str:
    return f"{moment.isoformat()} ({(moment - now).total_seconds():+.0f} s)"


def _name(element: Element) -> str:
    return str(etree.QName(element).localname)
