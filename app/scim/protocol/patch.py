"""PATCH (RFC 7644 section 3.5.2): envelope to operations, operations to a new resource.

Pure and all or nothing: the input is never changed and an error leaves no trace. Must not know
storage; changes to a group's members come out as a difference (`members.MemberChanges`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.scim.protocol import tolerances
from app.scim.protocol.attribute_path import AttributePath
from app.scim.protocol.constants import MAX_PATCH_OPERATIONS, MEMBERS, PATCH_OP
from app.scim.protocol.errors import (
    InvalidPathError,
    InvalidSyntaxError,
    InvalidValueError,
    MutabilityError,
    NoTargetError,
    TooManyError,
    excerpt,
)
from app.scim.protocol.folding import is_absent
from app.scim.protocol.members import MemberChanges, MemberFold
from app.scim.protocol.normalize import normalize
from app.scim.protocol.patch_values import Change, updated
from app.scim.protocol.path import PatchPath, parse_patch_path
from app.scim.protocol.registry import ResourceType

__all__ = ["MemberChanges", "Operation", "Patched", "apply", "parse_operations"]


@dataclass(frozen=True, slots=True)
class Operation:
    """`op` is add, replace or remove; `path` and `value` are `None` when absent."""

    op: str
    path: str | None
    value: Any


@dataclass(frozen=True, slots=True)
class Patched:
    """`changed` holds top-level names and extension URNs; `members` is `None` if no operation named them."""

    attributes: dict[str, Any]
    changed: frozenset[str]
    members: MemberChanges | None


def parse_operations(body: Any) -> tuple[Operation, ...]:
    """Check the envelope; paths and values are checked when they are applied."""
    if not isinstance(body, dict):
        raise InvalidSyntaxError(f"A PATCH body must be a JSON object, not {excerpt(body)}.")
    fields = {key.lower(): value for key, value in body.items()}
    schemas = fields.get("schemas")
    if not is_absent(schemas) and not _names_patch_op(schemas):
        raise InvalidSyntaxError(f'The schemas of a PATCH body must contain "{PATCH_OP}".')
    operations = fields.get("operations")
    if not isinstance(operations, list) or not operations:
        raise InvalidSyntaxError('A PATCH body needs "Operations": a list of at least one operation.')
    if len(operations) > MAX_PATCH_OPERATIONS:
        raise TooManyError(
            f"The PATCH body has {len(operations)} operations; "
            f"at most {MAX_PATCH_OPERATIONS} are accepted. Split it."
        )
    return tuple(_operation(raw, number) for number, raw in enumerate(operations, start=1))


def _names_patch_op(schemas: Any) -> bool:
    names = schemas if isinstance(schemas, list) else [schemas]
    return any(isinstance(name, str) and name.lower() == PATCH_OP.lower() for name in names)


def _operation(raw: Any, number: int) -> Operation:
    if not isinstance(raw, dict):
        raise InvalidSyntaxError(f"Operation {number} must be an object, not {excerpt(raw)}.")
    fields = {key.lower(): value for key, value in raw.items()}
    op = tolerances.operation_name(fields.get("op"))
    if op not in ("add", "replace", "remove"):
        raise InvalidSyntaxError(f"Operation {number} has the op {excerpt(op)}; use add, replace or remove.")
    path = fields.get("path") or None
    if path is not None and not isinstance(path, str):
        raise InvalidPathError(f"The path of operation {number} must be text, not {excerpt(path)}.")
    # RFC 7644 section 3.5.2.2: remove without a path is noTarget.
    if op == "remove" and path is None:
        raise NoTargetError(
            f"Operation {number} removes without a path. Name the attribute to remove in path."
        )
    if op != "remove" and "value" not in fields:
        raise InvalidValueError(f"Operation {number} ({op}) has no value.")
    if path is None and not isinstance(fields["value"], dict):
        raise InvalidValueError(
            f"Operation {number} ({op}) has no path, so its value must be an object of attributes."
        )
    return Operation(op, path, fields.get("value"))


def apply(
    resource_type: ResourceType,
    operations: Iterable[Operation],
    attributes: Mapping[str, Any],
    *,
    resource_id: str | None = None,
) -> Patched:
    """Run the operations in order on a copy; `attributes` are a resource's own, normalized ones."""
    work = _Work(resource_type, attributes, resource_id)
    for operation in operations:
        work.run(operation)
    return work.result()


class _Work:
    """The state between two operations."""

    def __init__(
        self, resource_type: ResourceType, attributes: Mapping[str, Any], resource_id: str | None
    ) -> None:
        self._resource_type = resource_type
        self._before = attributes
        # Values are replaced and never changed in place, so a shallow copy protects the caller's.
        self._state = dict(attributes)
        self._members = MemberFold()
        self._resource_id = resource_id

    def result(self) -> Patched:
        after = normalize(self._resource_type, self._state).attributes
        for name, value in self._before.items():
            attribute = self._resource_type.attribute(name)
            if attribute is not None and attribute.is_read_only:
                after[name] = value
        changed = frozenset(
            name
            for name in (self._before.keys() | after.keys()) - {"schemas", MEMBERS}
            if _differ(self._before.get(name), after.get(name))
        )
        return Patched(after, changed, self._members.changes())

    def run(self, operation: Operation) -> None:
        if operation.path is None:
            self._merge(operation.op, operation.value)
            return
        target = parse_patch_path(self._resource_type, operation.path)
        _check_mutability(operation.op, target)
        self._apply(operation.op, target, operation.value)

    def _merge(self, op: str, value: Mapping[str, Any]) -> None:
        """RFC 7644 section 3.5.2.1: without a path, the value holds attributes of the resource.

        Entra (with its `aadOptscim062020` flag) writes whole paths as keys, `name.givenName`,
        `urn:…:User:department` or `emails[type eq "work"].value`.
        Pinned by `test_entra_flagged_patch_resolves_each_key_as_a_path`.
        """
        for key, item in value.items():
            try:
                target = parse_patch_path(self._resource_type, key)
            except InvalidPathError:
                # Unknown attributes are dropped everywhere but in an explicit path.
                continue
            if target.path.attribute.name == "id":
                tolerances.check_echoed_id(item, self._resource_id)
            if not any(part.is_read_only for part in _parts(target)):
                self._apply(op, target, item)

    def _apply(self, op: str, target: PatchPath, value: Any) -> None:
        attribute = target.path.attribute
        # `schemas` follows from the data, and a password is never kept: Okta sends one at each change.
        # Pinned by `test_okta_password_sync_changes_nothing`.
        if attribute.name == "schemas" or attribute.is_never_returned:
            return
        if attribute.name == MEMBERS:
            self._members.apply(op, target, value)
        elif target.path.is_whole_extension:
            self._apply_extension(op, target.path, value)
        else:
            change = Change(op, value, str(target.path), target.value_filter, target.sub_attribute)
            self._put(target.path, change)

    def _apply_extension(self, op: str, path: AttributePath, value: Any) -> None:
        if op == "remove" or (op == "replace" and is_absent(value)):
            self._state.pop(path.attribute.name, None)
        elif isinstance(value, dict):
            self._merge(op, {f"{path.attribute.name}:{key}": item for key, item in value.items()})
        elif not is_absent(value):
            raise InvalidValueError(f"{path} takes an object of attributes, not {excerpt(value)}.")

    def _put(self, path: AttributePath, change: Change) -> None:
        holder = self._state
        if path.extension is not None:
            holder = dict(self._state.get(path.extension.id) or {})
            self._state[path.extension.id] = holder
        value = updated(path.attribute, holder.get(path.attribute.name), change)
        if value is None:
            holder.pop(path.attribute.name, None)
        else:
            holder[path.attribute.name] = value


def _parts(target: PatchPath) -> list[Any]:
    return [part for part in (target.path.attribute, target.sub_attribute) if part is not None]


def _check_mutability(op: str, target: PatchPath) -> None:
    # RFC 7644 section 3.5.2: a readOnly target, and the removal of a required one, is 400 mutability.
    if any(part.is_read_only for part in _parts(target)):
        raise MutabilityError(
            f"{target.path} is readOnly; the service sets it. Take it out of the attribute mapping."
        )
    if op == "remove" and target.path.attribute.required:
        raise MutabilityError(f"{target.path} is required and cannot be removed. Replace it instead.")


def _differ(before: Any, after: Any) -> bool:
    return before != after and not (is_absent(before) and is_absent(after))
