"""The columns that Usher itself reads of a person, and what is stored for an answer."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

from app.core.ids import is_uuid
from app.core.text import fold

Attributes = Mapping[str, Any]

ENTERPRISE_USER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@dataclass(frozen=True, slots=True)
class Profile:
    user_name: str
    user_name_key: str
    external_id: str | None
    display_name: str | None
    email: str | None
    email_key: str | None
    manager_id: str | None

    @classmethod
    def of(cls, attributes: Attributes) -> Self:
        """Read canonical SCIM attributes (RFC 7643 section 4.1); the primary e-mail, else the first."""
        emails = attributes.get("emails", [])
        email = next((entry for entry in emails if entry.get("primary")), emails[0] if emails else {})
        address = email.get("value")
        manager = attributes.get(ENTERPRISE_USER, {}).get("manager", {}).get("value")
        return cls(
            user_name=attributes["userName"],
            user_name_key=fold(attributes["userName"]),
            external_id=attributes.get("externalId"),
            display_name=attributes.get("displayName"),
            email=address,
            email_key=fold(address) if address else None,
            manager_id=manager if manager is not None and is_uuid(manager) else None,
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """What every answer about a user needs, as it was just written."""

    id: str
    attributes: str
    version: int
    created_at: datetime
    last_modified_at: datetime
    manager_id: str | None
    manager_name: str | None


PROFILE_COLUMNS = tuple(item.name for item in fields(Profile))


def without_manager(attributes: Attributes) -> Attributes:
    """The same person without a manager; an extension that held nothing else goes with it."""
    extension = {key: value for key, value in attributes[ENTERPRISE_USER].items() if key != "manager"}
    if extension:
        return {**attributes, ENTERPRISE_USER: extension}
    rest = {key: value for key, value in attributes.items() if key != ENTERPRISE_USER}
    return {**rest, "schemas": [urn for urn in attributes.get("schemas", ()) if urn != ENTERPRISE_USER]}
