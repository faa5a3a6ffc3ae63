"""The columns that Usher itself reads of a person, and what is stored for an answer."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

from app.core.text import fold

Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Profile:
    user_name: str
    user_name_key: str
    external_id: str | None
    display_name: str | None
    email: str | None
    email_key: str | None

    @classmethod
    def of(cls, attributes: Attributes) -> Self:
        """Read canonical SCIM attributes (RFC 7643 section 4.1); the primary e-mail, else the first."""
        emails = attributes.get("emails", [])
        email = next((entry for entry in emails if entry.get("primary")), emails[0] if emails else {})
        address = email.get("value")
        return cls(
            user_name=attributes["userName"],
            user_name_key=fold(attributes["userName"]),
            external_id=attributes.get("externalId"),
            display_name=attributes.get("displayName"),
            email=address,
            email_key=fold(address) if address else None,
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """What every answer about a user or group needs, as it was just written."""

    id: str
    attributes: str
    version: int
    created_at: datetime
    last_modified_at: datetime


PROFILE_COLUMNS = tuple(item.name for item in fields(Profile))
