"""SCIM operations on users: read the message, ask the directory, shape the answer."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from app.core.connection import Row
from app.directory.profile import Stored
from app.directory.users import LOCKED_USER, UserService
from app.scim.protocol.normalize import normalize
from app.scim.protocol.patch import apply, parse_operations
from app.scim.protocol.projection import Projection
from app.scim.reading import ResourceReader
from app.scim.rendering import Answer, render, with_manager
from app.scim.seat import SHOWN_SEAT, Seat, with_seat
from app.scim.shelves import INDIRECT_GROUPS, RELATED_TO_USER
from app.scim.trace import RequestTrace

# All that a change and the answer to it need, in one statement.
_LOADED = LOCKED_USER.add_columns(*RELATED_TO_USER, *SHOWN_SEAT)


class UserReader(ResourceReader):
    """Users as SCIM shows them."""

    def load(self, user_id: str, if_match: str | None) -> Row:
        """The user to be changed, with `related` for the answer; refuses another version."""
        self.require_id(user_id)
        user = self._uow.execute(_LOADED, {"id": user_id, **self.values}).first()
        if user is None:
            raise self._not_found(user_id)
        self.require_version(user.version, if_match)
        return user

    def attributes(self, stored: Stored | Row) -> str:
        """The seat of who was just changed is for `written` to add."""
        text = super().attributes(stored)
        if stored.manager_id is not None and stored.manager_name is not None:
            text = with_manager(text, self._base_url, stored.manager_id, stored.manager_name)
        if isinstance(stored, Stored):
            return text
        return with_seat(text, self._base_url, Seat.of(stored, self._uow.now))

    def written(self, stored: Stored, user: Row, projection: Projection) -> Answer:
        """The answer to a change of a loaded user whose events have taken effect."""
        text = with_seat(self.attributes(stored), self._base_url, Seat.after(self._uow, user))
        related = self.related([user])[0] if self.joins(projection) else None
        return render(stored, text, self._base_url, projection, related)

    def related(self, rows: Sequence[Row]) -> list[str]:
        """The groups of these users; one statement more where the organization nests groups."""
        direct = super().related(rows)
        if not rows or not rows[0].nests:
            return direct
        values = {"ids": [row.id for row in rows], **self.values}
        indirect = {row.user_id: row.related for row in self.execute(INDIRECT_GROUPS, values)}
        return [_together(text, indirect.get(row.id)) for row, text in zip(rows, direct, strict=True)]


def _together(text: str, more: str | None) -> str:
    """Two JSON lists as one."""
    if more is None or text == "[]":
        return more or text
    return f"{text[:-1]},{more[1:]}"


class UserResources:
    """What a write changed is named in `trace`; `settle` lets its events take effect."""

    def __init__(
        self,
        reader: UserReader,
        directory: UserService,
        trace: RequestTrace,
        settle: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._settle = settle
        self._type = reader.resource_type
        self._directory = directory
        self._tolerances = reader.tolerances
        self._trace = trace

    def create(self, body: Any, projection: Projection) -> Answer:
        """RFC 7644 section 3.3; Google creates suspended people, so `active` is honoured."""
        attributes = normalize(self._type, body, self._tolerances)
        active = attributes.pop("active", True)
        stored = self._directory.create(attributes, active=active)
        self._trace.user_id = stored.id
        self._trace.changed.update(attributes, {"active"})
        if stored.version > 1:
            # Known from sign-ins: in groups, and with a seat, before the identity provider made them.
            self._settle()
            return self._reader.get(stored.id, projection)
        # Nobody is in a group, or has even an empty seat, before they exist.
        return self._reader.answer(stored, projection, "[]")

    def replace(self, user_id: str, body: Any, if_match: str | None, projection: Projection) -> Answer:
        """RFC 7644 section 3.5.1; without `active` the state stays, so a rename wakes no leaver."""
        attributes = normalize(self._type, body, self._tolerances)
        user = self._reader.load(user_id, if_match)
        before = _as_the_idp_left_it(user)
        if "active" in before:
            attributes.setdefault("active", before["active"])
        changed = frozenset(
            name for name in before.keys() | attributes.keys() if before.get(name) != attributes.get(name)
        )
        return self._store(user, attributes, changed, projection)

    def patch(self, user_id: str, body: Any, if_match: str | None, projection: Projection) -> Answer:
        """RFC 7644 section 3.5.2: all operations or none; what is already so is no change."""
        operations = parse_operations(body, self._tolerances)
        user = self._reader.load(user_id, if_match)
        before = _as_the_idp_left_it(user)
        patched = apply(self._type, operations, before, self._tolerances, resource_id=user_id)
        return self._store(user, dict(patched.attributes), patched.changed, projection)

    def _store(
        self, user: Row, attributes: dict[str, Any], changed: frozenset[str], projection: Projection
    ) -> Answer:
        self._trace.changed.update(changed)
        if not changed:
            return self._reader.answer(user, projection, self._reader.related([user])[0])
        active = attributes.pop("active", None)
        stored = self._directory.update(user, attributes, idp_active=active, changed=changed)
        if "active" in changed:
            # The seat follows by event; the answer shows it as it is afterwards.
            self._settle()
        return self._reader.written(stored, user, projection)

    def delete(self, user_id: str, if_match: str | None) -> None:
        """RFC 7644 section 3.6; the directory locks the person's groups first, so nothing is held here."""
        version = self._reader.require_match(user_id, if_match)
        self._directory.delete(user_id, version=None if if_match is None else version)


def _as_the_idp_left_it(user: Row) -> dict[str, Any]:
    """The attributes that the IdP edits: an administrator's block must not look like the IdP's word."""
    attributes: dict[str, Any] = json.loads(user.attributes)
    if "active" in attributes:
        attributes["active"] = user.idp_active
    return attributes
