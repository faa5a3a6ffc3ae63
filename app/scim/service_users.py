"""SCIM operations on users: read the message, ask the directory, shape the answer."""

import json
from typing import Any

from sqlalchemy import Row

from app.directory.profile import Stored
from app.directory.users import LIVING_USER, UserService
from app.scim.protocol.normalize import normalize
from app.scim.protocol.patch import apply, parse_operations
from app.scim.protocol.projection import Projection
from app.scim.reading import ResourceReader
from app.scim.rendering import Answer, with_manager
from app.scim.shelves import groups_of_user

# All that a change and the answer to it need, in one statement.
_LOADED = LIVING_USER.add_columns(groups_of_user)


class UserReader(ResourceReader):
    """Users as SCIM shows them."""

    def load(self, user_id: str, if_match: str | None) -> Row[Any]:
        """The user to be changed, with `related` for the answer; refuses another version."""
        self.require_id(user_id)
        user = self._uow.execute(_LOADED, {"id": user_id, **self._values}).first()
        if user is None:
            raise self._not_found(user_id)
        self.require_version(user.version, if_match)
        return user

    def attributes(self, stored: Stored | Row[Any]) -> str:
        text = super().attributes(stored)
        if stored.manager_id is None or stored.manager_name is None:
            return text
        return with_manager(text, self._base_url, stored.manager_id, stored.manager_name)


class UserResources:
    def __init__(self, reader: UserReader, directory: UserService) -> None:
        self._reader = reader
        self._type = reader.resource_type
        self._directory = directory

    def create(self, body: Any, projection: Projection) -> Answer:
        """RFC 7644 section 3.3; Google creates suspended people, so `active` is honoured."""
        attributes = normalize(self._type, body).attributes
        active = attributes.pop("active", True)
        # Nobody is in a group before they exist.
        return self._reader.answer(self._directory.create(attributes, active=active), projection, "[]")

    def replace(self, user_id: str, body: Any, if_match: str | None, projection: Projection) -> Answer:
        """RFC 7644 section 3.5.1; without `active` the state stays, so a rename wakes no leaver."""
        attributes = normalize(self._type, body).attributes
        user = self._reader.load(user_id, if_match)
        active = attributes.pop("active", user.idp_active)
        before = json.loads(user.attributes)
        before.pop("active", None)
        changed = frozenset(
            name for name in before.keys() | attributes.keys() if before.get(name) != attributes.get(name)
        )
        if not changed and active == user.idp_active:
            return self._reader.answer(user, projection, user.related)
        stored = self._directory.update(user, attributes, idp_active=active, changed=changed)
        return self._reader.answer(stored, projection, user.related)

    def patch(self, user_id: str, body: Any, if_match: str | None, projection: Projection) -> Answer:
        """RFC 7644 section 3.5.2: all operations or none; what is already so is no change."""
        operations = parse_operations(body)
        user = self._reader.load(user_id, if_match)
        # The IdP edits its own view: an administrator's block must not look like the IdP's word.
        before = {**json.loads(user.attributes), "active": user.idp_active}
        patched = apply(self._type, operations, before, resource_id=user_id)
        if not patched.changed:
            return self._reader.answer(user, projection, user.related)
        attributes = dict(patched.attributes)
        active = attributes.pop("active", user.idp_active)
        stored = self._directory.update(user, attributes, idp_active=active, changed=patched.changed)
        return self._reader.answer(stored, projection, user.related)

    def delete(self, user_id: str, if_match: str | None) -> None:
        self._reader.load(user_id, if_match)
        self._directory.delete(user_id)
