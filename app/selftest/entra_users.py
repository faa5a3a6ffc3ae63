"""Entra and people: matched, created, updated by one operation for each attribute, given a manager."""

from app.selftest.entra_requests import (
    ANNA,
    BEN,
    change,
    look_up,
    person,
)
from app.selftest.steps import (
    DOMAIN,
    ENTERPRISE_USER,
    Step,
    finds,
    lacks,
    patch,
    shows,
)

_MANAGER = f"{ENTERPRISE_USER}:manager"


def _reference_check(title: str, manager: str, *kept: str) -> Step:
    condition = f'id eq "{{anna}}" and {manager} eq "{{ben}}"'
    return Step(title, "GET", look_up("/Users", condition, "attributes=id"), checks=(finds(*kept),))


_USERS = (
    Step("Match before create", "GET", look_up("/Users", f'userName eq "{ANNA}"'), checks=(finds(),)),
    Step(
        "Create a user",
        "POST",
        "/Users",
        person(ANNA, "Anna", "{guid}-anna"),
        (201,),
        (
            shows(ANNA, "userName"),
            shows(True, "active"),
            shows("{guid}-anna", "externalId"),
            shows("Sales", ENTERPRISE_USER, "department"),
            lacks("addresses"),
            lacks("roles"),
        ),
        keeps="anna",
    ),
    Step(
        "Create a manager",
        "POST",
        "/Users",
        person(BEN, "Ben", "{guid}-ben"),
        (201,),
        keeps="ben",
    ),
    Step(
        "Match by externalId",
        "GET",
        look_up("/Users", 'externalId eq "{guid}-anna"'),
        checks=(finds("anna"),),
    ),
    Step(
        "Match by work e-mail",
        "GET",
        look_up("/Users", f'emails[type eq "work"].value eq "{ANNA}"'),
        checks=(finds("anna"),),
    ),
    Step("Read the user", "GET", "/Users/{anna}", checks=(shows("{anna}", "id"),)),
)

_DEFAULT_UPDATES = (
    Step(
        "Update: one capitalised operation for each attribute",
        "PATCH",
        "/Users/{anna}",
        patch(
            {"op": "Replace", "path": "displayName", "value": "Anna B."},
            {"op": "Replace", "path": 'emails[type eq "work"].value', "value": f"{{run}}.b@{DOMAIN}"},
            {"op": "Replace", "path": "name.givenName", "value": "Annie"},
            {"op": "Replace", "path": "externalId", "value": "{guid}-annie"},
            {"op": "Add", "path": f"{ENTERPRISE_USER}:employeeNumber", "value": "701984"},
        ),
        (200, 204),
        (
            shows("Anna B.", "displayName"),
            shows(f"{{run}}.b@{DOMAIN}", "emails", 0, "value"),
            shows("Annie", "name", "givenName"),
            shows("Selftest", "name", "familyName"),
            shows("{guid}-annie", "externalId"),
            shows("701984", ENTERPRISE_USER, "employeeNumber"),
        ),
    ),
    Step(
        "Update: a filtered path without a match makes one new address",
        "PATCH",
        "/Users/{anna}",
        patch(
            {"op": "Add", "path": 'addresses[type eq "work"].locality', "value": "Oslo"},
            {"op": "Add", "path": 'addresses[type eq "work"].country', "value": "NO"},
        ),
        (200, 204),
        (
            shows("work", "addresses", 0, "type"),
            shows("Oslo", "addresses", 0, "locality"),
            shows("NO", "addresses", 0, "country"),
            lacks("addresses", 1),
        ),
    ),
    change(
        "Values stay as they were sent",
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+47 (22) 33-44"},
        shows("+47 (22) 33-44", "phoneNumbers", 0, "value"),
    ),
    change(
        "App role as JSON text",
        {
            "op": "Add",
            "path": "roles",
            "value": [{"value": '{"id":"18d14569","value":"Admin","displayName":"Administrators"}'}],
        },
        shows("Admin", "roles", 0, "value"),
        shows("Administrators", "roles", 0, "display"),
    ),
    change(
        "Assertive app roles replace all",
        {
            "op": "replace",
            "path": "roles",
            "value": [{"primary": False, "type": "WindowsAzureActiveDirectoryRole", "value": "Reader"}],
        },
        shows("Reader", "roles", 0, "value"),
        lacks("roles", 1),
    ),
)

_MANAGER_CHANGES = (
    _reference_check("Reference check before", "manager"),
    change(
        "Manager as bare text",
        {"op": "Add", "path": _MANAGER, "value": "{ben}"},
        shows("{ben}", ENTERPRISE_USER, "manager", "value"),
    ),
    _reference_check("Reference check after", "manager", "anna"),
    _reference_check("Reference check after, by the URN", _MANAGER, "anna"),
    change(
        "Manager cleared by an empty value",
        {"op": "replace", "path": _MANAGER, "value": {"value": ""}},
        lacks(ENTERPRISE_USER, "manager"),
    ),
    change(
        "Manager as an object, under its short name",
        {"op": "Add", "path": "manager", "value": [{"$ref": "/Users/{ben}", "value": "{ben}"}]},
        shows("{ben}", ENTERPRISE_USER, "manager", "value"),
    ),
    change(
        "Manager cleared behind a dot",
        {"op": "replace", "path": f"{ENTERPRISE_USER}.manager", "value": {"value": ""}},
        lacks(ENTERPRISE_USER, "manager"),
    ),
)

STEPS = (*_USERS, *_DEFAULT_UPDATES, *_MANAGER_CHANGES)
