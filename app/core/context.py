"""Who asks, and under which request id: carried from the edge down to the audit log."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """`type` is `scim_token`, `api_key`, `user`, `operator` (command line) or `system` (worker)."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Caller:
    actor: Actor
    request_id: str


SYSTEM = Actor(type="system", id="worker")
OPERATOR = Actor(type="operator", id="cli")
