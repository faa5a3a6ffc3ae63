"""Sound signatures over statements that are meant for others, for another time, or for nobody."""

from typing import Any

from app.sso.saml.reasons import ReasonCode as R
from tests.support.saml_corpus.case import (
    ACCEPTED,
    REQUEST_UNKNOWN,
    UNSOLICITED,
    Judge,
    case,
    encoded_text,
    replaced,
    text_of,
)
from tests.support.saml_idp import BEARER, PERSISTENT, Scene, parse, sign

_STATUS = "urn:oasis:names:tc:SAML:2.0:status:"
_DAY = 86_400


def _says(
    family: str, name: str, attack: str, expected: str, judge: Judge = Judge.VERIFIER, **changes: Any
) -> None:
    """The identity provider signs an answer with these changes; `{acs}` and `{entity}` stand for ours."""

    @case(family, name, attack, expected, judge)
    def build(scene: Scene) -> Any:
        def fill(value: Any) -> Any:
            if isinstance(value, str):
                return value.replace("{acs}", scene.acs_url).replace("{entity}", scene.sp_entity_id)
            return tuple(fill(item) for item in value) if isinstance(value, tuple) else value

        return scene.signed(scene.answer(**{key: fill(value) for key, value in changes.items()}))


_says(
    "issuer", "assertion-issuer", "the assertion of another issuer", R.ISSUER_MISMATCH, issuer="https://evil/"
)
_says(
    "issuer",
    "issuer-slash",
    "the issuer with a slash more",
    R.ISSUER_MISMATCH,
    issuer="https://idp.example/metadata/",
)
_says(
    "issuer",
    "response-issuer",
    "another issuer of the response",
    R.ISSUER_MISMATCH,
    response_issuer="https://evil/",
)
_says(
    "issuer",
    "no-response-issuer",
    "sound: only the assertion names its issuer",
    ACCEPTED,
    response_issuer=None,
)


@case("issuer", "no-assertion-issuer", "an assertion without an issuer", R.ISSUER_MISSING)
def no_assertion_issuer(scene: Scene) -> Any:
    text = scene.answer().xml
    issuer = f"<saml:Issuer>{scene.idp_entity_id}</saml:Issuer><saml:Subject>"
    return sign(parse(text.replace(issuer, "<saml:Subject>")), "//saml:Assertion", scene.idp)


for _name, _status in (("denied", "RequestDenied"), ("no-passive", "NoPassive"), ("responder", "Responder")):
    _says("status", _name, f"the status {_status}", R.STATUS_NOT_SUCCESS, status=_STATUS + _status)


@case("status", "nested-success", "Success within a failure", R.STATUS_NOT_SUCCESS)
def nested_success(scene: Scene) -> str:
    success = f'<samlp:StatusCode Value="{_STATUS}Success"/>'
    return replaced(
        scene.signed(), success, f'<samlp:StatusCode Value="{_STATUS}Responder">{success}</samlp:StatusCode>'
    )


_says("destination", "no-destination", "no Destination", R.DESTINATION_MISSING, destination=None)
_says("destination", "empty-destination", "an empty Destination", R.DESTINATION_MISSING, destination="")
_says(
    "destination", "destination-longer", "…/acs/10 for …/acs", R.DESTINATION_MISMATCH, destination="{acs}/10"
)
_says(
    "destination", "destination-query", "our URL with a query", R.DESTINATION_MISMATCH, destination="{acs}?x"
)
_says(
    "destination",
    "destination-other",
    "another host",
    R.DESTINATION_MISMATCH,
    destination="https://evil.example/acs",
)
_says("recipient", "no-recipient", "no Recipient", R.RECIPIENT_MISSING, recipient=None)
_says(
    "recipient",
    "recipient-containing",
    "a host that contains our URL",
    R.RECIPIENT_MISMATCH,
    recipient="https://evil.example/?u={acs}",
)
_says("recipient", "recipient-longer", "…/acs/10 for …/acs", R.RECIPIENT_MISMATCH, recipient="{acs}/10")
_says(
    "recipient",
    "recipient-other-connection",
    "another connection of the same host (cross-tenant)",
    R.RECIPIENT_MISMATCH,
    recipient="https://usher.example/sso/saml/conn_2/acs",
)
_says("audience", "no-audience", "no AudienceRestriction", R.AUDIENCE_MISSING, audiences=())
_says("audience", "audience-other", "another audience", R.AUDIENCE_MISMATCH, audiences=(("https://other/",),))
_says(
    "audience",
    "audience-slash",
    "our entity id with a slash more",
    R.AUDIENCE_MISMATCH,
    audiences=(("{entity}/",),),
)
_says(
    "audience",
    "audience-prefix",
    "our entity id with more behind",
    R.AUDIENCE_MISMATCH,
    audiences=(("{entity}0",),),
)
_says(
    "audience",
    "audience-other-connection",
    "another connection of the same issuer (Entra: one issuer for all apps)",
    R.AUDIENCE_MISMATCH,
    audiences=(("https://usher.example/sso/saml/conn_2/metadata",),),
)
_says(
    "audience",
    "two-restrictions",
    "two restrictions, one of them not for us",
    R.AUDIENCE_MISMATCH,
    audiences=(("{entity}",), ("https://other/",)),
)
_says(
    "audience",
    "two-audiences",
    "sound: one restriction with two audiences",
    ACCEPTED,
    audiences=(("https://other/", "{entity}"),),
)
_says(
    "time", "no-conditions-end", "no NotOnOrAfter in Conditions", R.TIME_LIMIT_MISSING, not_on_or_after=None
)
_says(
    "time",
    "no-confirmation-end",
    "no NotOnOrAfter in the confirmation",
    R.TIME_LIMIT_MISSING,
    confirmation_end=None,
)
_says("time", "expired", "over for 181 seconds", R.EXPIRED, not_on_or_after=-181)
_says("time", "expired-at-the-skew", "over for 180 seconds", R.EXPIRED, not_on_or_after=-180)
_says(
    "time",
    "within-skew",
    "sound: over for 179 seconds",
    ACCEPTED,
    not_on_or_after=-179,
    confirmation_end=-179,
)
_says(
    "time", "confirmation-expired", "the confirmation over for 181 seconds", R.EXPIRED, confirmation_end=-181
)
_says("time", "not-yet", "valid from 181 seconds on", R.NOT_YET_VALID, not_before=181)
_says("time", "not-yet-within-skew", "sound: valid from 179 seconds on", ACCEPTED, not_before=179)
_says(
    "time",
    "confirmation-not-yet",
    "a confirmation from 181 seconds on",
    R.NOT_YET_VALID,
    confirmation_start=181,
)
_says("time", "issued-in-future", "issued 181 seconds ahead", R.NOT_YET_VALID, issued=181)
_says("time", "authenticated-in-future", "signed in 181 seconds ahead", R.NOT_YET_VALID, authn=181)
_says(
    "time", "valid-for-years", "Conditions for ten years", R.VALIDITY_TOO_LONG, not_on_or_after=3_650 * _DAY
)
_says(
    "time",
    "confirmed-for-years",
    "the confirmation for ten years",
    R.VALIDITY_TOO_LONG,
    confirmation_end=3_650 * _DAY,
)
_says(
    "time",
    "long-window",
    "a window of three days around now",
    R.VALIDITY_TOO_LONG,
    not_before=-2 * _DAY,
    not_on_or_after=_DAY,
)
_says("time", "session-over", "SessionNotOnOrAfter is past", R.SESSION_EXPIRED, session_end=-181)
for _name, _text in (
    ("zone-offset", "2026-11-25T13:00:00+01:00"),
    ("no-zone", "2026-11-25T12:00:00"),
    ("impossible-date", "2026-13-45T12:00:00Z"),
    ("not-a-time", "tomorrow"),
    ("arabic-digits", "٢٠٢٦-11-25T12:00:00Z"),
):

    @case("time", _name, f"NotOnOrAfter is {_text}", R.TIME_MALFORMED)
    def odd_time(scene: Scene, text: str = _text) -> Any:
        answer = scene.answer()
        xml = answer.xml.replace(f'NotOnOrAfter="{answer.at(300)}"', f'NotOnOrAfter="{text}"')
        return sign(parse(xml), "//saml:Assertion", scene.idp)


@case("time", "end-of-calendar", "NotOnOrAfter is the last second there is", R.VALIDITY_TOO_LONG)
def end_of_calendar(scene: Scene) -> Any:
    answer = scene.answer()
    xml = answer.xml.replace(f'"{answer.at(300)}"', '"9999-12-31T23:59:59Z"')
    return sign(parse(xml), "//saml:Assertion", scene.idp)


def _unsigned_attribute(name: str, attack: str, expected: str, **changes: Any) -> None:
    @case("in response to", name, attack, expected)
    def build(scene: Scene) -> Any:
        return scene.signed(scene.answer(**changes))


_M = R.IN_RESPONSE_TO_MISMATCH
_unsigned_attribute("stripped", "the unsigned InResponseTo taken out", _M, response_in_response_to=None)
_unsigned_attribute(
    "changed", "the unsigned InResponseTo of another request", _M, response_in_response_to="_mine"
)
_unsigned_attribute(
    "added",
    "InResponseTo added to an unsolicited answer",
    _M,
    in_response_to=None,
    response_in_response_to="_request",
)
_unsigned_attribute("empty", "an empty InResponseTo", _M, in_response_to="", response_in_response_to="")
_says(
    "in response to",
    "unsolicited",
    "nobody asked (IdP-initiated)",
    UNSOLICITED,
    Judge.ACS,
    in_response_to=None,
)
_says(
    "in response to",
    "unknown-request",
    "the answer to a request that nobody made here",
    REQUEST_UNKNOWN,
    Judge.ACS,
    in_response_to="_never",
)
_says(
    "subject",
    "holder-of-key",
    "no bearer confirmation",
    R.CONFIRMATION_COUNT,
    confirmation_method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key",
)
_says("subject", "empty-name-id", "an empty NameID", R.NAME_ID_MISSING, name_id="")
_says("subject", "blank-name-id", "a NameID of spaces", R.NAME_ID_MISSING, name_id="  ")
_says(
    "subject",
    "foreign-qualifier",
    "a NameID qualified for another",
    R.NAME_QUALIFIER_MISMATCH,
    name_id_attributes=' SPNameQualifier="https://other/"',
)
_says(
    "subject", "persistent", "sound: a persistent NameID", ACCEPTED, name_id="x1", name_id_format=PERSISTENT
)


def _rewritten(  # noqa: PLR0917 - a table reads better without names.
    family: str, name: str, attack: str, expected: str, old: str, new: str
) -> None:
    """The identity provider itself signs an odd assertion."""

    @case(family, name, attack, expected)
    def build(scene: Scene) -> Any:
        text = scene.answer().xml
        assert old in text, old
        return sign(parse(text.replace(old, new)), "//saml:Assertion", scene.idp)


_rewritten(
    "subject", "no-name-id", "an assertion about nobody", R.NAME_ID_MISSING, "saml:NameID", "saml:NameIDx"
)
_rewritten("subject", "no-subject", "no Subject", R.SUBJECT_MISSING, "saml:Subject>", "saml:Subjectx>")
_rewritten(
    "subject",
    "element-in-name-id",
    "an element within the NameID",
    R.NAME_ID_MISSING,
    "anna@example.com</saml:NameID>",
    "anna@example.com<x/>.evil</saml:NameID>",
)
_rewritten(
    "subject",
    "two-bearers",
    "a second bearer confirmation",
    R.CONFIRMATION_COUNT,
    "</saml:Subject>",
    f'<saml:SubjectConfirmation Method="{BEARER}"><saml:SubjectConfirmationData/>'
    "</saml:SubjectConfirmation></saml:Subject>",
)
_rewritten(
    "subject",
    "encrypted-name-id",
    "an encrypted NameID",
    R.NAME_ID_ENCRYPTED,
    "<saml:NameID",
    "<saml:EncryptedID/><saml:NameID",
)
_rewritten(
    "conditions",
    "no-conditions",
    "no Conditions",
    R.CONDITIONS_MISSING,
    "saml:Conditions",
    "saml:Conditionsx",
)
_rewritten(
    "conditions",
    "unknown-condition",
    "a condition that nobody knows",
    R.CONDITION_UNKNOWN,
    "</saml:Conditions>",
    '<saml:Condition xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="x"/></saml:Conditions>',
)
_rewritten(
    "conditions",
    "one-time-use",
    "sound: OneTimeUse",
    ACCEPTED,
    "</saml:Conditions>",
    "<saml:OneTimeUse/></saml:Conditions>",
)
_rewritten(
    "conditions",
    "no-authn-statement",
    "nobody signed in",
    R.AUTHN_STATEMENT_COUNT,
    "saml:AuthnStatement",
    "saml:AuthnStatementx",
)
_rewritten(
    "conditions",
    "encrypted-attribute",
    "an encrypted attribute",
    R.ATTRIBUTE_ENCRYPTED,
    "</saml:AttributeStatement>",
    "<saml:EncryptedAttribute/></saml:AttributeStatement>",
)
_rewritten(
    "conditions",
    "element-in-attribute",
    "elements within an attribute value",
    R.ATTRIBUTE_MALFORMED,
    "<saml:AttributeValue>Sales",
    "<saml:AttributeValue><b/>Sales",
)
_rewritten(
    "conditions",
    "off-schema",
    "a part that the schema does not know",
    R.VERIFIERS_DISAGREE,
    "</saml:Assertion>",
    "<x/></saml:Assertion>",
)
_rewritten(
    "conditions",
    "cdata",
    "sound: the NameID as CDATA",
    ACCEPTED,
    ">anna@example.com</saml:NameID>",
    "><![CDATA[anna@example.com]]></saml:NameID>",
)


@case("conditions", "version-of-assertion", "an assertion of SAML 1.1", R.WRONG_VERSION)
def version_of_assertion(scene: Scene) -> str:
    text = text_of(scene.signed())
    head, _, tail = text.rpartition('Version="2.0"')
    return encoded_text(f'{head}Version="1.1"{tail}')
