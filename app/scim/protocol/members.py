"""Changes to a group's members as a difference, so that no list of members is ever loaded.

Knows the forms in which Okta, Entra and JumpCloud name members; must not know whether they exist.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.scim.protocol.constants import MAX_MEMBERS, MAX_STRING_LENGTH
from app.scim.protocol.errors import InvalidPathError, InvalidValueError, MutabilityError, excerpt
from app.scim.protocol.folding import is_absent
from app.scim.protocol.nodes import Compare, Node, Or
from app.scim.protocol.path import PatchPath
from app.scim.protocol.tolerances import Tolerances
from app.scim.protocol.tolerated_requests import remove_by_value_list
from app.scim.protocol.tolerated_values import bare_text_as_value, empty_text, single_object_as_list

_TYPES = {"user": "User", "group": "Group"}


@dataclass(frozen=True, slots=True)
class MemberChanges:
    """With `replace` the final set is exactly `add`; without it, `add` come in and `remove` go.

    `types` says `User` or `Group` of those in `add` that the client gave a type.
    """

    replace: bool
    add: tuple[str, ...]
    remove: tuple[str, ...]
    types: Mapping[str, str] = field(default_factory=dict)


def named_members(value: Any, tolerances: Tolerances) -> dict[str, str | None]:
    """The ids a members value names, in order and once each, with the type it gives them, if any.

    JumpCloud sends objects with `value` alone, Okta adds `display`, Entra adds `"$ref": null`. A nested
    group is named by its id like a person.
    """
    entries = [] if value is None else tolerances.mend(single_object_as_list, value)
    if not isinstance(entries, list):
        raise InvalidValueError(f"members must be a list, not {excerpt(value)}.")
    if len(entries) > MAX_MEMBERS:
        raise InvalidValueError(f"The list has {len(entries)} members; a group holds at most {MAX_MEMBERS}.")
    named: dict[str, str | None] = {}
    for raw in entries:
        entry = raw if isinstance(raw, dict) else tolerances.mend(bare_text_as_value, raw)
        id_ = _member_id(entry)
        named[id_] = _member_type(entry, id_, tolerances) or named.get(id_)
    return named


def given_types(named: Mapping[str, str | None]) -> dict[str, str]:
    return {member: type_ for member, type_ in named.items() if type_ is not None}


def _member_id(entry: Any) -> str:
    found = _part(entry, "value") if isinstance(entry, dict) else None
    if not isinstance(found, str) or not found:
        raise InvalidValueError(
            f"The member {excerpt(entry)} has no value. "
            'Name each member like {"value": "<id of the user or group>"}.'
        )
    if len(found) > MAX_STRING_LENGTH:
        raise InvalidValueError(f"The member {excerpt(found)} is longer than any id.")
    return found


def _member_type(entry: Mapping[str, Any], id_: str, tolerances: Tolerances) -> str | None:
    found = tolerances.mend(empty_text, _part(entry, "type"))
    if found != "" and is_absent(found):
        return None
    known = _TYPES.get(found.lower()) if isinstance(found, str) else None
    if known is None:
        raise InvalidValueError(
            f"The member {excerpt(id_)} has the type {excerpt(found)}; it is either User or Group."
        )
    return known


def _part(entry: Mapping[str, Any], name: str) -> Any:
    found = entry.get(name)
    if found is not None:
        return found
    return next((item for key, item in entry.items() if key.lower() == name), None)


class MemberFold:
    """Folds operations on `members`, in their order, into one `MemberChanges`."""

    def __init__(self, tolerances: Tolerances) -> None:
        self._tolerances = tolerances
        self._touched = False
        self._replace = False
        # Dictionaries keep the order and find ids in constant time.
        self._add: dict[str, str | None] = {}
        self._remove: dict[str, None] = {}

    def changes(self) -> MemberChanges | None:
        """`None` when no operation named members."""
        if not self._touched:
            return None
        return MemberChanges(self._replace, tuple(self._add), tuple(self._remove), given_types(self._add))

    def apply(self, op: str, target: PatchPath, value: Any) -> None:
        if target.sub_attribute is not None:
            # RFC 7643 section 4.2: sub-attributes of members are immutable.
            raise MutabilityError(
                f"members.{target.sub_attribute.name} cannot be changed. "
                "Remove the member and add the right one."
            )
        self._touched = True
        if target.value_filter is not None:
            self._filtered(op, target.value_filter)
        elif op == "add":
            # RFC 7644 section 3.5.2.1: what is added may be one value or a list of them.
            self._put(named_members([value] if isinstance(value, dict) else value, self._tolerances))
        elif op == "replace":
            self._set(named_members(value, self._tolerances))
        elif value is None:
            # RFC 7644 section 3.5.2.2: remove without a filter empties the attribute.
            self._set({})
        elif self._tolerances.accept(remove_by_value_list, value):
            self._drop(named_members(value, self._tolerances))
        else:
            # Taking the value for absent would empty the group.
            raise InvalidValueError(
                'remove takes no value. Select who goes by the path: members[value eq "<id>"].'
            )

    def _filtered(self, op: str, node: Node) -> None:
        ids = tuple(_ids_of_filter(node))
        if op != "remove":
            raise MutabilityError(
                'Members cannot be changed, only added and removed: add {"value": "<id>"} to members.'
            )
        self._drop(ids)

    def _put(self, named: Mapping[str, str | None]) -> None:
        for member, type_ in named.items():
            self._remove.pop(member, None)
            self._add[member] = type_

    def _drop(self, ids: Iterable[str]) -> None:
        for member in ids:
            self._add.pop(member, None)
            if not self._replace:
                self._remove[member] = None

    def _set(self, named: Mapping[str, str | None]) -> None:
        self._replace = True
        self._add = dict(named)
        self._remove = {}


def _ids_of_filter(node: Node) -> Iterable[str]:
    """Okta and Entra select members by id, `members[value eq "x"]`, several joined by `or`."""
    if isinstance(node, Or):
        for term in node.nodes:
            yield from _ids_of_filter(term)
    elif isinstance(node, Compare) and node.op == "eq" and node.path.leaf.name == "value":
        yield str(node.value)
    else:
        raise InvalidPathError('Members are selected by id only: members[value eq "<id>"], joined by "or".')
