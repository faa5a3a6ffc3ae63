"""SCIM operations on groups. Members travel as differences; no list of them is loaded to change one."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from app.core.connection import Row
from app.core.ids import is_uuid
from app.directory.groups import NO_CHANGE, GroupService, MemberChange
from app.directory.nesting import UnknownMemberError
from app.directory.queries import DirectoryQueries
from app.scim.protocol.constants import MEMBERS
from app.scim.protocol.members import MemberChanges, given_types, named_members
from app.scim.protocol.normalize import normalize
from app.scim.protocol.patch import apply, parse_operations
from app.scim.protocol.projection import Projection
from app.scim.protocol.tolerated_requests import unknown_members_dropped
from app.scim.reading import ResourceReader
from app.scim.rendering import Answer
from app.scim.trace import RequestTrace


class GroupReader(ResourceReader):
    """Groups as SCIM shows them; Entra excludes `members` on every read, and then they cost nothing."""


class GroupResources:
    """What a write changed is named in `trace`; members are, when it named them and anything changed."""

    def __init__(
        self, reader: GroupReader, directory: GroupService, queries: DirectoryQueries, trace: RequestTrace
    ) -> None:
        self._reader = reader
        self._type = reader.resource_type
        self._directory = directory
        self._queries = queries
        self._tolerances = reader.tolerances
        self._trace = trace

    def create(self, body: Any, projection: Projection) -> Answer:
        attributes, members = self._read(body)
        group_id = self._directory.create(attributes, members.add, members.types)
        self._trace.group_id = group_id
        self._trace.changed.update(attributes, (MEMBERS,) if members.add else ())
        return self._reader.get(group_id, projection)

    def replace(self, group_id: str, body: Any, if_match: str | None, projection: Projection) -> Answer:
        """RFC 7644 section 3.5.1: the members are exactly those of the body."""
        attributes, members = self._read(body)
        group = self._lock(group_id, if_match)
        version = self._directory.update(group, attributes=attributes, members=members)
        before = json.loads(group.attributes)
        differing = {name for name in before | attributes if before.get(name) != attributes.get(name)}
        self._note(group, version, differing | {MEMBERS})
        return self._reader.get(group_id, projection)

    def patch(self, group_id: str, body: Any, if_match: str | None) -> int:
        """RFC 7644 section 3.5.2; answers the version afterwards, for a 204 without the members."""
        operations = parse_operations(body, self._tolerances)
        group = self._lock(group_id, if_match)
        before = json.loads(group.attributes)
        patched = apply(self._type, operations, before, self._tolerances, resource_id=group_id)
        version = self._directory.update(
            group,
            attributes=patched.attributes if patched.changed else None,
            members=self._change(patched.members),
        )
        self._note(
            group, version, patched.changed if patched.members is None else patched.changed | {MEMBERS}
        )
        return version

    def delete(self, group_id: str, if_match: str | None) -> None:
        self._reader.require_id(group_id)
        group = self._directory.lock_with_parents(group_id)
        self._reader.require_version(group.version, if_match)
        self._directory.delete(group)

    def _note(self, group: Row, version: int, names: Iterable[str]) -> None:
        if version != group.version:
            self._trace.changed.update(names)

    def _read(self, body: Any) -> tuple[dict[str, Any], MemberChange]:
        attributes = normalize(self._type, body, self._tolerances)
        named = named_members(attributes.pop(MEMBERS, None), self._tolerances)
        members = MemberChange(add=self._known(tuple(named)), replace=True, types=given_types(named))
        return attributes, members

    def _lock(self, group_id: str, if_match: str | None) -> Row:
        self._reader.require_id(group_id)
        group = self._directory.lock(group_id)
        self._reader.require_version(group.version, if_match)
        return group

    def _change(self, changes: MemberChanges | None) -> MemberChange:
        if changes is None:
            return NO_CHANGE
        # Removing somebody who cannot be a member is no change, whatever the text.
        remove = [member for member in changes.remove if is_uuid(member)]
        return MemberChange(self._known(changes.add), remove, changes.replace, changes.types)

    def _known(self, members: Sequence[str]) -> Sequence[str]:
        """Whom the directory is asked to add: all, or who is somebody here where that was chosen."""
        if self._tolerances.enables(unknown_members_dropped):
            living = self._queries.living([member for member in members if is_uuid(member)])
            known: Sequence[str] = self._tolerances.mend(unknown_members_dropped, members, living)
            return known
        _require_ids(members)
        return members


def _require_ids(members: Sequence[str]) -> None:
    for member in members:
        if not is_uuid(member):
            raise UnknownMemberError(
                f"The member {member[:80]!r} is not the id of a user or group here. "
                "Use the id that Usher answered when it was created."
            )
