"""The attribute `schemas` (RFC 7643 section 3): checked as sent, computed as kept.

It is computed and never stored as sent, so odd URNs leave no trace. Knows the registry, no values.
"""

from collections.abc import Sequence
from typing import Any

from app.scim.protocol.errors import InvalidSyntaxError, excerpt
from app.scim.protocol.folding import is_absent
from app.scim.protocol.registry import ResourceType
from app.scim.protocol.tolerances import Tolerances
from app.scim.protocol.tolerated_names import (
    adscim_urn,
    extension_not_listed,
    schemas_missing,
    scim_1_urn,
    unknown_schema,
    urn_without_colon,
)
from app.scim.protocol.tolerated_values import single_object_as_list


def present_schemas(resource_type: ResourceType, attributes: dict[str, Any]) -> list[str]:
    """RFC 7643 section 3: `schemas` lists every namespace present."""
    extensions = (schema.id for schema in resource_type.extensions if schema.id in attributes)
    return [resource_type.schema.id, *extensions]


def check_schemas(
    resource_type: ResourceType, given: Any, present: Sequence[str], tolerances: Tolerances
) -> None:
    """Raise `InvalidSyntaxError` unless `given` names the resource's schema, each extension with data,
    and nothing that the resource type does not have.
    """
    if given == present:
        return
    core = resource_type.schema.id
    named = frozenset(_known(resource_type, urn, tolerances) for urn in listed(given, tolerances))
    if core not in named and not tolerances.accept(schemas_missing, named, core):
        raise InvalidSyntaxError(f'"schemas" must name {core}.')
    extensions = frozenset(present) - {core}
    if not extensions <= named and not tolerances.accept(extension_not_listed, named, extensions):
        missing = ", ".join(sorted(extensions - named))
        raise InvalidSyntaxError(f'The body has data of {missing}, which "schemas" does not name.')


def listed(given: Any, tolerances: Tolerances) -> list[Any]:
    """The URNs that a `schemas` names; none when it is absent."""
    if is_absent(given):
        return []
    urns = tolerances.mend(single_object_as_list, given)
    if not isinstance(urns, list):
        raise InvalidSyntaxError(f'"schemas" must be a list of URNs, not {excerpt(given)}.')
    return urns


def _known(resource_type: ResourceType, urn: Any, tolerances: Tolerances) -> str | None:
    """The id of a schema of this resource type; `None` for a foreign one that is tolerated."""
    known = [schema.id for schema in (resource_type.schema, *resource_type.extensions)]
    if isinstance(urn, str):
        if urn in known:
            return urn
        spelled = next((id_ for id_ in known if id_.lower() == urn.lower()), None)
        if spelled is not None:
            return spelled
        mended = tolerances.mend(scim_1_urn, urn, resource_type.schema.id)
        if mended not in known:
            mended = tolerances.mend(urn_without_colon, mended, known)
        if mended in known:
            return str(mended)
        if tolerances.accept(adscim_urn, urn):
            return None
    if not tolerances.accept(unknown_schema, urn):
        raise InvalidSyntaxError(f"{excerpt(urn)} is no schema of {resource_type.name}.")
    return None
