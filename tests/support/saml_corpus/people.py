"""Sound messages about people who are not this tenant's, or whose address is not what it looks like."""

from typing import Any

from app.sso.saml.reasons import ReasonCode as R
from tests.support.saml_corpus.case import DOMAIN_NOT_VERIFIED, EMAIL_MALFORMED, Judge, case
from tests.support.saml_idp import TRANSIENT, Scene

FAMILY = "people"


def _person(name: str, attack: str, expected: str, judge: Judge, **changes: Any) -> None:
    @case(FAMILY, name, attack, expected, judge)
    def build(scene: Scene) -> Any:
        return scene.signed(scene.answer(**changes))


def _address(name: str, attack: str, address: str, expected: str = DOMAIN_NOT_VERIFIED) -> None:
    _person(name, attack, expected, Judge.ACS, name_id=address, attributes={"email": (address,)})


_address("foreign-domain", "an address of somebody else's domain", "boss@globex.example")
_address("subdomain", "an address of a subdomain", "anna@sub.example.com")
_address("longer-domain", "our domain as prefix", "anna@example.com.evil.example")
_address("full-width-at", "a full-width at sign", "anna\uff20example.com", EMAIL_MALFORMED)
_address("cyrillic-domain", "a Cyrillic letter in the domain", "anna@\u0435xample.com", EMAIL_MALFORMED)
_address("dotless-i", "a dotless i in the domain", "anna@exam\u0131ple.com")
_address("two-ats", "two at signs", "anna@evil.example@example.com", EMAIL_MALFORMED)
_address(
    "route", "a quoted local part with our domain within", '"x@example.com"@evil.example', EMAIL_MALFORMED
)
_address("line-break", "a line break within", "anna@example.com\nx@evil.example", EMAIL_MALFORMED)
_address("bidi", "a sign that turns the text around", "anna@\u202eelpmaxe.com", EMAIL_MALFORMED)
_address("null-width", "a zero-width space in the domain", "anna@exam\u200bple.com", EMAIL_MALFORMED)
_person(
    "mail-of-others",
    "our own NameID, a foreign mapped address",
    DOMAIN_NOT_VERIFIED,
    Judge.ACS,
    attributes={"email": ("boss@globex.example",)},
)
_person(
    "name-id-of-others",
    "our own mapped address, a foreign NameID",
    DOMAIN_NOT_VERIFIED,
    Judge.ACS,
    name_id="boss@globex.example",
    attributes={"email": ("anna@example.com",)},
)
_person(
    "two-addresses",
    "two values for email",
    R.ATTRIBUTE_AMBIGUOUS,
    Judge.PROFILE,
    attributes={"email": ("anna@example.com", "boss@example.com")},
)
_person(
    "two-spellings",
    "email and Email with different values",
    R.ATTRIBUTE_AMBIGUOUS,
    Judge.PROFILE,
    attributes={"email": ("anna@example.com",), "Email": ("boss@example.com",)},
)
_person(
    "two-stable-ids",
    "two values for the stable id",
    R.ATTRIBUTE_AMBIGUOUS,
    Judge.PROFILE,
    attributes={"userId": ("1", "2")},
)
_person(
    "transient",
    "a transient NameID and no stable id",
    R.NAME_ID_TRANSIENT,
    Judge.PROFILE,
    name_id_format=TRANSIENT,
)
