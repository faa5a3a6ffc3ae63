"""How Microsoft's Validator names its tests, and the people that it makes."""

from typing import Any

from app.selftest.steps import DOMAIN, ENTERPRISE_USER, USER

VERA = f"{{run}}.vera@{DOMAIN}"
MAX = f"{{run}}.max@{DOMAIN}"
RENAMED = f"{{run}}.renamed@{DOMAIN}"
PATCHED = (200, 204)


def required(number: int, name: str) -> str:
    return f"Validator {number}/25: {name}"


def preview(number: int, name: str) -> str:
    return f"Validator preview {number}/7: {name}"


def person(user_name: str, external_id: str) -> dict[str, Any]:
    return {
        "schemas": [USER, ENTERPRISE_USER],
        "userName": user_name,
        "externalId": external_id,
        "active": True,
        "displayName": "Vera Selftest",
        "name": {"formatted": "Vera Selftest", "familyName": "Selftest", "givenName": "Vera"},
        "emails": [{"type": "work", "value": user_name, "primary": True}],
        "roles": [{"primary": "True", "display": "First", "value": "first", "type": "App"}],
        ENTERPRISE_USER: {"department": "Trials", "employeeNumber": "1"},
    }
