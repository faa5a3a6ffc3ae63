"""Odd forms of requests as a whole: what a PATCH asks for, what a filter leaves out, what headers hold,
which answer is waited for.

Knows registry and values only as far as a form shows in them.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from app.scim.protocol.registry import Attribute
from app.scim.protocol.tolerances import tolerance


@tolerance(
    "Okta",
    strict="400 invalidValue",
    pinned_by="test_okta_password_is_dropped",
)
def filler_password(attribute: Attribute) -> bool:
    """A password, sent with each create whether or not passwords are synchronized; it is never kept."""
    return attribute.is_never_returned


@tolerance(
    "Okta",
    strict="400 mutability",
    pinned_by="test_read_only_and_unknown_attributes_are_ignored",
)
def echoed_attributes(attribute: Attribute) -> bool:
    """What only the service sets, repeated in a PATCH value: `{"id": …, "displayName": …}`.

    Another `id` than the resource's is always refused.
    """
    return attribute.is_read_only


@tolerance(
    "Entra, JumpCloud",
    strict="400 invalidValue",
    pinned_by="test_entra_remove_with_a_value_list_removes_only_those",
)
def remove_by_value_list(value: Any) -> bool:
    """`remove` with path `members` and a list of values: only those go, never all."""
    return value is not None


@tolerance(
    "Entra",
    strict="400 noTarget",
    pinned_by="test_entra_filtered_paths_without_a_match_share_one_new_entry",
)
def create_on_no_match(entry: dict[str, Any]) -> bool:
    """A filtered path that matches no value makes one from its `eq` terms, siblings share it:
    `addresses[type eq "work"].locality`.
    """
    return bool(entry)


@tolerance(
    "Entra",
    strict="400 invalidFilter",
    pinned_by="test_bare_manager_means_its_value",
)
def object_as_its_value(attribute: Attribute) -> bool:
    """An object compared in a filter means its `value`: `manager eq "1"`."""
    return attribute.is_complex and not attribute.multi_valued


@tolerance(
    "Okta (header mode)",
    strict="401",
    pinned_by="test_header_mode_sends_the_bare_token",
)
def bare_token(scheme: str) -> bool:
    """The token without a scheme: `Authorization: usher_scim_…`."""
    return scheme.lower() != "bearer"


@tolerance(
    "Okta",
    strict="/ResourceTypes lists users and groups only",
    pinned_by="test_okta_finds_the_roles_by_the_resource_types",
)
def roles_as_entitlements(user_agent: str) -> bool:
    """Okta takes each type in /ResourceTypes besides users and groups for entitlements that it may give.

    Everybody else takes a listed type for one whose resources they may create, and roles are read-only.
    """
    return user_agent.startswith("Okta SCIM Client")


@tolerance(
    "Azure gateways, hand-written clients",
    strict="412 for If-Match; If-None-Match finds no match",
    pinned_by="test_an_entity_tag_matches_weakly",
)
def unquoted_version(header: str) -> bool:
    """A version without its quotes: `If-Match: 3`."""
    return '"' not in header


@tolerance(
    "conformance probes, hand-written clients",
    strict="204 without a body",
    pinned_by="test_a_patch_of_a_group_answers_the_group_where_that_was_chosen",
    opt_in=True,
)
def group_patch_body(attributes: str | None) -> bool:
    """A PATCH of a group, alone and not in a Bulk, waits for 200 with the group, all members included."""
    return not attributes


@tolerance(
    "conformance probes, hand-written clients",
    strict="400 invalidValue",
    pinned_by="test_members_that_are_nobody_are_left_out_where_that_was_chosen",
    opt_in=True,
)
def unknown_members_dropped(members: Sequence[str], living: AbstractSet[str]) -> Sequence[str]:
    """A member that is nobody here: it is left out, and the rest of the request is done."""
    known = [member for member in members if member in living]
    return members if len(known) == len(members) else known
