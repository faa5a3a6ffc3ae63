"""How Entra writes: filters with plus for spaces, a new person with nulls, PATCHes of one operation."""

from typing import Any
from urllib.parse import quote_plus

from app.selftest.steps import DOMAIN, USER, Check, Step, patch

# Entra writes the URN of the enterprise extension without its last colon.
_BROKEN_URN = "urn:ietf:params:scim:schemasextension:enterprise:2.0:User"
ANNA = f"{{run}}.Anna@{DOMAIN}"
BEN = f"{{run}}.ben@{DOMAIN}"
FLAG = "?aadOptscim062020"
WITHOUT_MEMBERS = "excludedAttributes=members"


def look_up(endpoint: str, condition: str, more: str = "") -> str:
    """`more` holds other query parameters, which Entra writes first."""
    return f"{endpoint}?{more}{'&' if more else ''}filter={quote_plus(condition, safe='{}')}"


def group_look_up(condition: str) -> str:
    return look_up("/Groups", condition, WITHOUT_MEMBERS)


def person(user_name: str, given_name: str, external_id: str) -> dict[str, Any]:
    return {
        "schemas": [USER, _BROKEN_URN],
        "externalId": external_id,
        "userName": user_name,
        "active": "True",
        "displayName": f"{given_name} Selftest",
        "emails": [{"primary": True, "type": "work", "value": user_name}],
        "meta": {"resourceType": "User"},
        "name": {
            "formatted": f"{given_name} Selftest",
            "familyName": "Selftest",
            "givenName": given_name,
        },
        "addresses": None,
        "phoneNumbers": None,
        "title": None,
        "department": "Sales",
        "manager": None,
        "roles": [],
    }


def change(title: str, operation: dict[str, Any], *checks: Check) -> Step:
    return Step(title, "PATCH", "/Users/{anna}", patch(operation), (200, 204), checks)


def change_group(title: str, operation: dict[str, Any], query: str = "") -> Step:
    return Step(title, "PATCH", f"/Groups/{{group}}{query}", patch(operation), (200, 204))
