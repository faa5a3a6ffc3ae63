"""All tolerances on one screen, and which of them a directory's setting enables.

A setting is `auto` (all but what is opt-in), `strict` (none) or a list of names. Safety rules are not
tolerances: no setting lets an unknown name through in a filter, or makes anything but userName match a
person.
"""

from collections.abc import Sequence
from typing import Final

from app.scim.protocol.tolerances import Tolerance
from app.scim.protocol.tolerated_names import (
    adscim_urn,
    bare_extension_attribute,
    dot_after_urn,
    dotted_key,
    extension_not_listed,
    filtered_key,
    schemas_missing,
    scim_1_urn,
    unknown_attribute,
    unknown_schema,
    urn_key,
    urn_without_colon,
)
from app.scim.protocol.tolerated_requests import (
    bare_token,
    create_on_no_match,
    echoed_attributes,
    filler_password,
    group_patch_body,
    object_as_its_value,
    remove_by_value_list,
    roles_as_entitlements,
    unknown_members_dropped,
    unquoted_version,
)
from app.scim.protocol.tolerated_values import (
    bare_text_as_value,
    empty_text,
    json_text_as_object,
    manager_as_text,
    manager_id,
    number_as_text,
    object_in_a_list,
    single_object_as_list,
    text_boolean,
    text_boolean_in_filter,
)

TOLERANCES: Final[tuple[Tolerance, ...]] = (
    text_boolean,
    text_boolean_in_filter,
    number_as_text,
    empty_text,
    single_object_as_list,
    object_in_a_list,
    bare_text_as_value,
    json_text_as_object,
    manager_as_text,
    manager_id,
    object_as_its_value,
    unknown_attribute,
    bare_extension_attribute,
    dot_after_urn,
    dotted_key,
    urn_key,
    filtered_key,
    schemas_missing,
    extension_not_listed,
    unknown_schema,
    urn_without_colon,
    scim_1_urn,
    adscim_urn,
    filler_password,
    echoed_attributes,
    remove_by_value_list,
    create_on_no_match,
    bare_token,
    roles_as_entitlements,
    unquoted_version,
    group_patch_body,
    unknown_members_dropped,
)
NAMES: Final = frozenset(quirk.name for quirk in TOLERANCES)

_PROFILES: Final = {
    "auto": frozenset(quirk.name for quirk in TOLERANCES if not quirk.opt_in),
    "strict": frozenset[str](),
}


def enabled(setting: str | Sequence[str]) -> frozenset[str]:
    """The names that a setting enables; what is neither a profile nor a list enables nothing."""
    return _PROFILES.get(setting, frozenset()) if isinstance(setting, str) else frozenset(setting)
