"""sortBy to an attribute path (RFC 7644 section 3.4.2.3). Knows the registry, not SQL."""

from collections.abc import Sequence

from app.scim.protocol.attribute_path import AttributePath, resolve
from app.scim.protocol.errors import InvalidPathError, InvalidValueError
from app.scim.protocol.registry import ResourceType
from app.scim.protocol.tolerances import Tolerances


def parse_sort(
    resource_type: ResourceType, text: str, tolerances: Tolerances, beside: Sequence[ResourceType] = ()
) -> AttributePath:
    """Resolve sortBy to an attribute that has an order.

    Raises `InvalidValueError` for an unknown name: a list in another order than was asked for looks
    right, and a client that stops reading at some value would miss what comes after it. The keyword is
    invalidValue, because invalidPath belongs to PATCH and invalidFilter to filters (section 3.12).
    `beside` are the other types that the same query lists, see `resolve`.
    """
    try:
        path = resolve(resource_type, text, tolerances, beside)
    except InvalidPathError as error:
        raise InvalidValueError(f"sortBy cannot be used: {error.detail}") from None
    # As with filters, an order must not reveal what is never returned.
    if path.leaf.is_never_returned:
        raise InvalidValueError(f"{path} cannot be sorted by, because it is never returned.")
    if not path.leaf.is_complex:
        return path
    value = None if path.is_whole_extension else path.leaf.sub("value")
    if value is None:
        raise InvalidValueError(
            f"{path} is an object and has no order. Name one of its sub-attributes, such as name.familyName."
        )
    return AttributePath(path.extension, path.attribute, value)
