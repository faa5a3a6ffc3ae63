"""Identifiers: UUIDv7 inside, the same UUID behind a type prefix at the REST edge.

SCIM shows the bare UUID. A text that is no id of the asked type is "not found", never "malformed":
whoever guesses learns nothing.
"""

import re
from typing import Protocol

import uuid_utils

from app.core.errors import NotFoundError

# Before every id that is ever given: where a list in the order of ids begins.
FIRST_ID = "00000000-0000-0000-0000-000000000000"
# And behind every one: nothing follows it.
LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

UUID_PATTERN = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_UUID = re.compile(UUID_PATTERN)


class IdFactory(Protocol):
    def new(self) -> str:
        """A fresh UUIDv7 in its 36-character form."""


class Uuid7Factory:
    def new(self) -> str:
        return str(uuid_utils.uuid7())


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def edge_id(prefix: str, id_: str) -> str:
    return f"{prefix}_{id_}"


def parse_edge_id(prefix: str, text: str) -> str:
    """The bare UUID of `user_…`; anything else raises `NotFoundError`."""
    head, _, tail = text.partition("_")
    if head != prefix or not is_uuid(tail):
        raise NotFoundError(f"There is no {prefix} with the id {text[:80]!r}.")
    return tail
