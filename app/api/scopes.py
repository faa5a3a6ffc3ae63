"""What an API key may do, by name.

A scope is checked before anything is looked up, so a key without it learns nothing of what exists.
"""

from collections.abc import Set as AbstractSet

ADMIN = "admin"
DIRECTORY_READ = "directory:read"
GOVERNANCE_READ = "governance:read"
GOVERNANCE_WRITE = "governance:write"
SSO_WRITE = "sso:write"
SPEND_AUTHORIZE = "spend:authorize"
AUDIT_READ = "audit:read"

SCOPES = (
    ADMIN,
    DIRECTORY_READ,
    GOVERNANCE_READ,
    GOVERNANCE_WRITE,
    SSO_WRITE,
    SPEND_AUTHORIZE,
    "usage:write",
    "analytics:read",
    AUDIT_READ,
)

# Beside a scope itself, each of these gives it.
_GIVEN_BY = {GOVERNANCE_READ: frozenset({GOVERNANCE_WRITE})}


def allows(held: AbstractSet[str], needed: str) -> bool:
    return ADMIN in held or needed in held or not held.isdisjoint(_GIVEN_BY.get(needed, ()))
