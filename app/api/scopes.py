"""What a caller may do, by name: an API key has scopes, a signed-in person gets them by permissions.

A scope is checked before anything is looked up, so a caller without it learns nothing of what exists.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from app.governance.rights import AREAS, included

ADMIN = "admin"
DIRECTORY_READ = "directory:read"
GOVERNANCE_READ = "governance:read"
GOVERNANCE_WRITE = "governance:write"
SSO_WRITE = "sso:write"
SPEND_AUTHORIZE = "spend:authorize"
USAGE_WRITE = "usage:write"
ANALYTICS_READ = "analytics:read"
AUDIT_READ = "audit:read"

SCOPES = (
    ADMIN,
    DIRECTORY_READ,
    GOVERNANCE_READ,
    GOVERNANCE_WRITE,
    SSO_WRITE,
    SPEND_AUTHORIZE,
    USAGE_WRITE,
    ANALYTICS_READ,
    AUDIT_READ,
)

# All that somebody may do who came in past the identity provider: mend how people sign in.
BREAK_GLASS_SCOPES = frozenset({SSO_WRITE})

# Beside a scope itself, each of these gives it.
_GIVEN_BY = {GOVERNANCE_READ: frozenset({GOVERNANCE_WRITE})}


def allows(held: AbstractSet[str], needed: str) -> bool:
    return ADMIN in held or needed in held or not held.isdisjoint(_GIVEN_BY.get(needed, ()))


# What a permission gives over REST. Writing governance is writing roles, so it comes with identity alone:
# whoever says what roles give and who has them can give anything. What nobody but an owner may do has the
# scope `admin`.
_OF_PERMISSION: Mapping[str, AbstractSet[str]] = {
    "admin.identity.view": {DIRECTORY_READ, GOVERNANCE_READ},
    "admin.identity.manage": {GOVERNANCE_WRITE, SSO_WRITE},
    "admin.billing.view": {ANALYTICS_READ, GOVERNANCE_READ},
    "admin.analytics.view": {ANALYTICS_READ},
    "admin.audit.view": {AUDIT_READ},
}
_EVERY_AREA = frozenset(f"admin.{area}.manage" for area in AREAS)


def scopes_of(permissions: Iterable[str]) -> frozenset[str]:
    """The scopes of a signed-in person with these permissions; all of them for who manages every area."""
    held = frozenset[str]().union(*map(included, permissions))
    if held >= _EVERY_AREA:
        return frozenset({ADMIN})
    return frozenset[str]().union(*(_OF_PERMISSION.get(name, frozenset()) for name in held))
