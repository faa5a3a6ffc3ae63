"""What the claims of an assertion mean: the usual names of Okta, Entra and Google, or the connection's own.

Pure. The values are the identity provider's word; whether a domain may be asserted is the caller's to judge.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.sso.saml.assertion import Assertion
from app.sso.saml.names import EMAIL_ADDRESS, TRANSIENT, UNSPECIFIED
from app.sso.saml.reasons import ReasonCode, RefusedError, Step

_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
# In order of preference, compared without case. The short names are what Okta's and Google's administrators
# type, the long ones are Entra's and AD FS's, the object identifiers Shibboleth's.
USUAL_NAMES: Mapping[str, tuple[str, ...]] = {
    "email": (
        "email",
        "mail",
        "emailAddress",
        "user.email",
        f"{_CLAIMS}/emailaddress",
        "urn:oid:0.9.2342.19200300.100.1.3",
    ),
    "first_name": (
        "firstName",
        "first_name",
        "givenName",
        "user.firstName",
        f"{_CLAIMS}/givenname",
        "urn:oid:2.5.4.42",
    ),
    "last_name": (
        "lastName",
        "last_name",
        "surname",
        "sn",
        "user.lastName",
        f"{_CLAIMS}/surname",
        "urn:oid:2.5.4.4",
    ),
    "display_name": (
        "displayName",
        "display_name",
        "http://schemas.microsoft.com/identity/claims/displayname",
        "urn:oid:2.16.840.1.113730.3.1.241",
    ),
    "stable_id": (
        "stable_id",
        "userId",
        "user_id",
        "user.id",
        "http://schemas.microsoft.com/identity/claims/objectidentifier",
        "urn:oasis:names:tc:SAML:attribute:subject-id",
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.10",
    ),
    "groups": (
        "groups",
        "group",
        "memberOf",
        "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
        "http://schemas.xmlsoap.org/claims/Group",
        "urn:oid:1.3.6.1.4.1.5923.1.5.1.1",
    ),
}
FIELDS = tuple(USUAL_NAMES)
# Entra sends a link instead of more than 150 groups.
GROUPS_LINKS = frozenset(
    {
        "http://schemas.microsoft.com/claims/groups.link",
        "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups.link",
    }
)


@dataclass(frozen=True, slots=True)
class Profile:
    """`email` falls back to a NameID that is an address; absent texts are empty.

    `stable_id` is the attribute, else the NameID unless it is transient. `groups` is `None` when they are
    unknown (no statement, or a link instead of the list), which is not the same as none.
    """

    stable_id: str
    email: str
    first_name: str
    last_name: str
    display_name: str
    groups: tuple[str, ...] | None


def read_profile(assertion: Assertion, names: Mapping[str, str] | None = None) -> Profile:
    """Read the claims; `names` maps some `FIELDS` to the connection's attribute names, the rest as usual.

    Raises `RefusedError`: several values where there can be one, a transient NameID without a stable id.
    """
    texts = {
        field: _only(_values(assertion, field, names or {}), field) for field in FIELDS if field != "groups"
    }
    groups = _values(assertion, "groups", names or {})
    return Profile(
        stable_id=texts["stable_id"] or _stable_name_id(assertion),
        email=texts["email"] or _name_id_as_email(assertion),
        first_name=texts["first_name"],
        last_name=texts["last_name"],
        display_name=texts["display_name"],
        groups=None if GROUPS_LINKS & assertion.attributes.keys() else groups,
    )


def _values(assertion: Assertion, field: str, names: Mapping[str, str]) -> tuple[str, ...] | None:
    """The values without empty and repeated ones; `None` when there is no such attribute."""
    if field in names:
        found = assertion.attributes.get(names[field])
        return None if found is None else _distinct(found)
    for usual in USUAL_NAMES[field]:
        spellings = [name for name in assertion.attributes if name.lower() == usual.lower()]
        if spellings:
            return _distinct(tuple(value for name in spellings for value in assertion.attributes[name]))
    return None


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


def _only(values: tuple[str, ...] | None, field: str) -> str:
    if values and len(values) > 1:
        raise RefusedError(
            ReasonCode.ATTRIBUTE_AMBIGUOUS,
            Step.ATTRIBUTES,
            expected=f"one value for {field}",
            received=", ".join(values),
        )
    return values[0] if values else ""


def _stable_name_id(assertion: Assertion) -> str:
    if assertion.name_id_format == TRANSIENT:
        raise RefusedError(
            ReasonCode.NAME_ID_TRANSIENT,
            Step.ATTRIBUTES,
            expected="a persistent NameID, an address, or an attribute for stable_id",
            received=assertion.name_id_format,
        )
    return assertion.name_id


def _name_id_as_email(assertion: Assertion) -> str:
    may_be = assertion.name_id_format in (EMAIL_ADDRESS, UNSPECIFIED, "")
    return assertion.name_id if may_be and "@" in assertion.name_id else ""
