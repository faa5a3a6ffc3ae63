"""Odd forms of attribute names and schema URNs. Knows the protocol's URNs; `attribute_path`, `normalize`
and `patch` ask where the forms show.
"""

from collections.abc import Iterable

from app.scim.protocol.constants import ENTERPRISE_USER
from app.scim.protocol.tolerances import tolerance

_SCIM_1_CORE = "urn:scim:schemas:core:1.0"
_SCIM_1_ENTERPRISE = "urn:scim:schemas:extension:enterprise:1.0"
_ADSCIM = "http://schemas.microsoft.com/2006/11/resourcemanagement/adscim/"


@tolerance(
    "Google, OneLogin, Entra",
    strict="400 invalidSyntax in a body, 400 invalidPath in a PATCH value",
    pinned_by="test_unknown_attributes_are_dropped_and_named",
)
def unknown_attribute(value: object) -> bool:
    """An attribute that no schema has is dropped; a filter or a path that names one is always refused."""
    return value is not None


@tolerance(
    "Entra",
    strict="400 invalidSyntax, invalidPath or invalidFilter, as for an unknown name",
    pinned_by="test_entra_may_name_an_enterprise_attribute_without_its_urn",
)
def bare_extension_attribute(name: str) -> bool:
    """An attribute of the enterprise extension without its URN: `department`, `manager`."""
    return ":" not in name


@tolerance(
    "Entra",
    strict="400 invalidPath or invalidFilter, as for an unknown name",
    pinned_by="test_entra_may_write_a_dot_between_the_urn_and_the_attribute",
)
def dot_after_urn(rest: str) -> bool:
    """A dot between URN and attribute: `urn:…:enterprise:2.0:User.manager`."""
    return rest.startswith(".")


@tolerance(
    "OneLogin",
    strict="400 invalidSyntax in a body, 400 invalidPath in a path",
    pinned_by="test_scim_1_urns_name_what_they_became",
)
def scim_1_urn(text: str, core: str) -> str:
    """A schema URN of SCIM 1: `urn:scim:schemas:core:1.0`, `urn:scim:schemas:extension:enterprise:1.0`."""
    lowered = text.lower()
    for old, new in ((_SCIM_1_CORE, core), (_SCIM_1_ENTERPRISE, ENTERPRISE_USER)):
        if lowered.startswith(old):
            return new + text[len(old) :]
    return text


@tolerance(
    "Entra",
    strict="400 invalidPath (400 invalidSyntax in a POST or PUT body)",
    pinned_by="test_entra_flagged_patch_resolves_each_key_as_a_path",
)
def dotted_key(key: str) -> bool:
    """A path as the key of a value: `{"name.givenName": "Anna"}`."""
    return "." in key


@tolerance(
    "Entra",
    strict="400 invalidPath (400 invalidSyntax in a POST or PUT body)",
    pinned_by="test_entra_flagged_patch_resolves_each_key_as_a_path",
)
def urn_key(key: str) -> bool:
    """URN and attribute as the key of a value: `{"urn:…:enterprise:2.0:User:department": "Sales"}`."""
    return ":" in key


@tolerance(
    "Entra",
    strict="400 invalidPath",
    pinned_by="test_entra_flagged_patch_resolves_each_key_as_a_path",
)
def filtered_key(key: str) -> bool:
    r"""A filtered path as the key of a PATCH value: `{"emails[type eq \"work\"].value": "a@example.com"}`."""
    return "[" in key


@tolerance(
    "hand-written clients",
    strict="400 invalidSyntax",
    pinned_by="test_schemas_are_computed_from_the_data",
)
def schemas_missing(named: Iterable[str], needed: str) -> bool:
    """A body without `schemas`, or whose `schemas` lacks the resource's own."""
    return needed not in named


@tolerance(
    "Entra",
    strict="400 invalidSyntax",
    pinned_by="test_schemas_are_computed_from_the_data",
)
def urn_without_colon(urn: str, known: Iterable[str]) -> str:
    """A schema URN missing a colon: `urn:ietf:params:scim:schemas:core2.0:User`."""
    letters = urn.replace(":", "").lower()
    return next((id_ for id_ in known if id_.replace(":", "").lower() == letters), urn)


@tolerance(
    "Entra",
    strict="400 invalidSyntax",
    pinned_by="test_schemas_are_computed_from_the_data",
)
def adscim_urn(urn: str) -> bool:
    """Microsoft's own namespace of 2006 on groups: `http://schemas.microsoft.com/2006/11/…/ADSCIM/2.0/Group`."""
    return urn.lower().startswith(_ADSCIM)


@tolerance(
    "Okta, Entra",
    strict="400 invalidSyntax",
    pinned_by="test_schemas_are_computed_from_the_data",
)
def unknown_schema(urn: object) -> bool:
    """A schema in `schemas` that the resource type does not have, as custom attributes bring."""
    return urn is not None


@tolerance(
    "Entra",
    strict="400 invalidSyntax",
    pinned_by="test_schemas_are_computed_from_the_data",
)
def extension_not_listed(named: frozenset[str], present: frozenset[str]) -> bool:
    """Extension data whose URN is missing from `schemas`."""
    return not present <= named
