"""SCIM operations on users: read the message, ask the directory, shape the answer."""

import json
from typing import Any

from app.directory.users import UserService
from app.scim.protocol.normalize import normalize
from app.scim.protocol.patch import apply, parse_operations
from app.scim.protocol.projection import Projection
from app.scim.reading import ResourceReader
from app.scim.rendering import Answer


class UserReader(ResourceReader):
    """Users as SCIM shows them."""


class UserResources:
    def __init__(self, reader: UserReader, directory: UserService) -> None:
        self._reader = reader
        self._type = reader.resource_type
        self._directory = directory

    def create(self, body: Any, projection: Projection) -> Answer:
        """RFC 7644 section 3.3; Google creates suspended people, so `active` is honoured."""
        attributes = normalize(self._type, body).attributes
        active = attributes.pop("active", True)
        return self._reader.get(self._directory.create(attributes, active=active), projection)

    def replace(self, user_id: str, body: Any, if_match: str | None, projection: Projection) -> Answer:
        """RFC 7644 section 3.5.1; without `active` the state stays, so a rename wakes no leaver."""
        self._reader.require_id(user_id)
        attributes = normalize(self._type, body).attributes
        user = self._directory.get(user_id)
        self._reader.require_version(user.version, if_match)
        active = attributes.pop("active", user.idp_active)
        before = json.loads(user.attributes)
        before.pop("active", None)
        changed = frozenset(
            name for name in before.keys() | attributes.keys() if before.get(name) != attributes.get(name)
        )
        if changed or active != user.idp_active:
            self._directory.update(user, attributes, idp_active=active, changed=changed)
        return self._reader.get(user_id, projection)

    def patch(self, user_id: str, body: Any, if_match: str | None, projection: Projection) -> Answer:
        """RFC 7644 section 3.5.2: all operations or none; what is already so is no change."""
        operations = parse_operations(body)
        self._reader.require_id(user_id)
        user = self._directory.get(user_id)
        self._reader.require_version(user.version, if_match)
        # The IdP edits its own view: an administrator's block must not look like the IdP's word.
        before = {**json.loads(user.attributes), "active": user.idp_active}
        patched = apply(self._type, operations, before, resource_id=user_id)
        if patched.changed:
            attributes = dict(patched.attributes)
            active = attributes.pop("active", user.idp_active)
            self._directory.update(user, attributes, idp_active=active, changed=patched.changed)
        return self._reader.get(user_id, projection)

    def delete(self, user_id: str, if_match: str | None) -> None:
        self._reader.require_id(user_id)
        if if_match is not None:
            self._reader.require_version(self._directory.get(user_id).version, if_match)
        self._directory.delete(user_id)
