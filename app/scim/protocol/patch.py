"""PATCH (RFC 7644 section 3.5.2): envelope to operations, operations to a new resource.

Pure and all or nothing: the input is never changed and an error leaves no trace. Must not know
storage; changes to a group's members come out as a difference (`members.MemberChanges`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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
from app.scim.protocol.normalize import check_password, cleaned, completed, is_plain_key
from app.scim.protocol.patch_values import Change, updated
from app.scim.protocol.path import PatchPath, parse_patch_path
from app.scim.protocol.registry import ResourceType
from app.scim.protocol.schemas_attribute import listed
from app.scim.protocol.tolerances import Tolerances
from app.scim.protocol.tolerated_names import filtered_key, schemas_missing, unknown_attribute
from app.scim.protocol.tolerated_requests import echoed_attributes
from app.scim.protocol.values import absent

__all__ = ["MemberChanges", "Operation", "Patched", "apply", "parse_operations"]

# What is stored is canonical; only a name that the registry has lost since is dropped.
_STORED = frozenset({unknown_attribute.name})


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


def parse_operations(body: Any, tolerances: Tolerances) -> tuple[Operation, ...]:
    """Check the envelope; paths and values are checked when they are applied."""
    if not isinstance(body, dict):
        raise InvalidSyntaxError(f"A PATCH body must be a JSON object, not {excerpt(body)}.")
    fields = {key.lower(): value for key, value in body.items()}
    _check_schemas(fields.get("schemas"), tolerances)
    operations = fields.get("operations")
    if not isinstance(operations, list) or not operations:
        raise InvalidSyntaxError('A PATCH body needs "Operations": a list of at least one operation.')
    if len(operations) > MAX_PATCH_OPERATIONS:
        raise TooManyError(
            f"The PATCH body has {len(operations)} operations; "
            f"at most {MAX_PATCH_OPERATIONS} are accepted. Split it."
        )
    return tuple(_operation(raw, number, tolerances) for number, raw in enumerate(operations, start=1))


def _check_schemas(given: Any, tolerances: Tolerances) -> None:
    """Without `schemas` a PATCH may pass; with the URN of another message it is something else."""
    names = [name.lower() for name in listed(given, tolerances) if isinstance(name, str)]
    if PATCH_OP.lower() in names:
        return
    if not is_absent(given) or not tolerances.accept(schemas_missing, names, PATCH_OP):
        raise InvalidSyntaxError(f'The schemas of a PATCH body must contain "{PATCH_OP}".')


def _operation(raw: Any, number: int, tolerances: Tolerances) -> Operation:
    if not isinstance(raw, dict):
        raise InvalidSyntaxError(f"Operation {number} must be an object, not {excerpt(raw)}.")
    fields = {key.lower(): value for key, value in raw.items()}
    op = fields.get("op")
    # RFC 7644 section 3.5.2 compares without case; Entra writes `Add`, `Replace` and `Remove`.
    op = op.lower() if isinstance(op, str) else op
    if op not in ("add", "replace", "remove"):
        raise InvalidSyntaxError(f"Operation {number} has the op {excerpt(op)}; use add, replace or remove.")
    path = fields.get("path")
    if absent(path, f"The path of operation {number}", tolerances):
        path = None
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
    tolerances: Tolerances,
    *,
    resource_id: str | None = None,
) -> Patched:
    """Run the operations in order on a copy; `attributes` are a resource's own, normalized ones."""
    work = _Work(resource_type, attributes, tolerances, resource_id)
    for operation in operations:
        work.run(operation)
    return work.result()


class _Work:
    """The state between two operations."""

    def __init__(
        self,
        resource_type: ResourceType,
        attributes: Mapping[str, Any],
        tolerances: Tolerances,
        resource_id: str | None,
    ) -> None:
        self._resource_type = resource_type
        self._tolerances = tolerances
        self._before = attributes
        # Values are replaced and never changed in place, so a shallow copy protects the caller's.
        self._state = dict(attributes)
        self._members = MemberFold(self._tolerances)
        self._resource_id = resource_id

    def result(self) -> Patched:
        # What no operation touched is canonical as it was stored.
        touched = {name: value for name, value in self._state.items() if self._before.get(name) is not value}
        kept = {name: value for name, value in self._state.items() if name not in touched}
        kept.pop("schemas", None)
        changes = cleaned(self._resource_type, touched, Tolerances(_STORED))
        after = completed(self._resource_type, kept | changes)
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
        target = parse_patch_path(self._resource_type, operation.path, self._tolerances)
        _check_mutability(operation.op, target)
        self._apply(operation.op, target, operation.value)

    def _merge(self, op: str, value: Mapping[str, Any], prefix: str = "") -> None:
        """RFC 7644 section 3.5.2.1: without a path, the value holds attributes of the resource.

        `prefix` is the URN and colon of the extension whose attributes they are.
        """
        for key, item in value.items():
            target = self._target(prefix, key, item)
            if target is None:
                continue
            _check_id(target, item, self._resource_id)
            read_only = next((part for part in _parts(target) if part.is_read_only), None)
            if read_only is None:
                self._apply(op, target, item)
            elif not is_absent(item) and not self._tolerances.accept(echoed_attributes, read_only):
                raise _is_read_only(target)

    def _target(self, prefix: str, key: str, item: Any) -> PatchPath | None:
        """What a key names; `None` for an unknown name that may be dropped."""
        try:
            target = parse_patch_path(self._resource_type, prefix + key, self._tolerances)
        except InvalidPathError:
            if self._tolerances.accept(unknown_attribute, item):
                self._tolerances.ignored.add(key[: Tolerances.MAX_NAME])
            elif item is not None:
                raise
            return None
        is_filtered = "[" in key
        is_allowed = (
            self._tolerances.accept(filtered_key, key)
            if is_filtered
            else is_plain_key(key, target.path, self._tolerances)
        )
        if not is_allowed:
            raise InvalidPathError(
                f"{excerpt(key)} is a path and no name; send it as the path of an operation of its own."
            )
        return target

    def _apply(self, op: str, target: PatchPath, value: Any) -> None:
        attribute = target.path.attribute
        check_password(target.path, value, self._tolerances)
        # `schemas` follows from the data.
        if attribute.name == "schemas" or attribute.is_never_returned:
            return
        if attribute.name == MEMBERS:
            self._members.apply(op, target, value)
        elif target.path.is_whole_extension:
            self._apply_extension(op, target.path, value)
        else:
            change = Change(
                op, value, str(target.path), self._tolerances, target.value_filter, target.sub_attribute
            )
            self._put(target.path, change)

    def _apply_extension(self, op: str, path: AttributePath, value: Any) -> None:
        if op == "remove":
            self._state.pop(path.attribute.name, None)
        elif absent(value, str(path), self._tolerances):
            if op == "replace":
                self._state.pop(path.attribute.name, None)
        elif isinstance(value, dict):
            self._merge(op, value, f"{path.attribute.name}:")
        else:
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
        raise _is_read_only(target)
    if op == "remove" and target.path.attribute.required:
        raise MutabilityError(f"{target.path} is required and cannot be removed. Replace it instead.")


def _is_read_only(target: PatchPath) -> MutabilityError:
    return MutabilityError(
        f"{target.path} is readOnly; the service sets it. Take it out of the attribute mapping."
    )


def _check_id(target: PatchPath, value: Any, resource_id: str | None) -> None:
    """Another id than the resource's means that another resource was meant; no tolerance lets it pass."""
    is_id = target.path.attribute.name == "id" and resource_id is not None
    if is_id and value is not None and value != resource_id:
        raise MutabilityError(
            f"The PATCH carries the id {excerpt(value)}, but the resource is {resource_id}; "
            "an id never changes."
        )


def _differ(before: Any, after: Any) -> bool:
    return before != after and not (is_absent(before) and is_absent(after))
