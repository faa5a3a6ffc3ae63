"""Microsoft Entra ID's provisioning job, without and with `aadOptscim062020`, then Microsoft's Validator."""

from app.selftest import entra_groups, entra_users, validator_groups, validator_users
from app.selftest.entra_requests import (
    ANNA,
    FLAG,
    change,
    change_group,
    group_look_up,
    look_up,
    person,
)
from app.selftest.steps import (
    DOMAIN,
    ENTERPRISE_USER,
    GROUP,
    USER,
    Step,
    finds,
    is_error,
    lists,
    members,
    patch,
    shows,
)

_CONNECTION = (
    Step("Test connection, users", "GET", look_up("/Users", 'userName eq "{guid}"'), checks=(finds(),)),
    Step(
        "Test connection, groups",
        "GET",
        group_look_up('displayName eq "{guid}"'),
        checks=(finds(),),
    ),
    Step("Read the schemas when saving", "GET", "/Schemas", checks=(lists(USER, GROUP, ENTERPRISE_USER),)),
)

_FLAGGED = (
    Step(
        "Flagged update: one operation without a path, dotted and URN keys",
        "PATCH",
        f"/Users/{{anna}}{FLAG}",
        patch(
            {
                "op": "replace",
                "value": {
                    "displayName": "Anna F.",
                    "name.givenName": "Anne",
                    f"{ENTERPRISE_USER}:department": "Marketing",
                    'emails[type eq "work"].value': f"{{run}}.f@{DOMAIN}",
                },
            }
        ),
        (200, 204),
        (
            shows("Anna F.", "displayName"),
            shows("Anne", "name", "givenName"),
            shows("Marketing", ENTERPRISE_USER, "department"),
            shows("701984", ENTERPRISE_USER, "employeeNumber"),
            shows(f"{{run}}.f@{DOMAIN}", "emails", 0, "value"),
        ),
    ),
    change_group(
        "Flagged addition of a member",
        {"op": "add", "path": "members", "value": [{"value": "{ben}"}]},
        FLAG,
    ),
    change_group("Flagged removal of a member", {"op": "remove", "path": 'members[value eq "{ben}"]'}, FLAG),
    Step("Only that member has left, flagged", "GET", f"/Groups/{{group}}{FLAG}", checks=(members("anna"),)),
    Step(
        "Flagged disable",
        "PATCH",
        f"/Users/{{anna}}{FLAG}",
        patch({"op": "replace", "path": "active", "value": False}),
        (200, 204),
        (shows(False, "active"),),
    ),
    Step(
        "Flagged restore",
        "PATCH",
        f"/Users/{{anna}}{FLAG}",
        patch({"op": "replace", "path": "active", "value": True}),
        (200, 204),
        (shows(True, "active"),),
    ),
)

_LEAVING = (
    change("Disable", {"op": "Replace", "path": "active", "value": "False"}, shows(False, "active")),
    Step(
        "The disabled user is still found",
        "GET",
        look_up("/Users", f'userName eq "{ANNA}"'),
        checks=(finds("anna"), shows(False, "Resources", 0, "active")),
    ),
    change("Restore", {"op": "Replace", "path": "active", "value": "True"}, shows(True, "active")),
    Step("Memberships outlast a disabled time", "GET", "/Groups/{group}", checks=(members("anna"),)),
    Step(
        "Delta read",
        "GET",
        look_up(
            "/Users",
            'id eq "{anna}" and active eq true and (meta.lastModified ge "0001-01-03T00:00:00.0000000Z" '
            'and meta.lastModified le "9999-12-31T23:59:59.9999999Z")',
        ),
        checks=(finds("anna"),),
    ),
    Step("Hard delete", "DELETE", "/Users/{anna}", status=(204,)),
    Step("Delete again", "DELETE", "/Users/{anna}", status=(404,), checks=(is_error(),)),
    Step("The deleted user is gone", "GET", "/Users/{anna}", status=(404,), checks=(is_error(),)),
    Step(
        "The deleted user is not found",
        "GET",
        look_up("/Users", f'userName eq "{ANNA}"'),
        checks=(finds(),),
    ),
    Step(
        "Create the same userName anew",
        "POST",
        "/Users",
        person(ANNA, "Anna", "{guid}-anna"),
        (201,),
        (shows(True, "active"),),
        keeps="anna",
    ),
    Step("Delete the group", "DELETE", "/Groups/{group}", status=(204,)),
)

STEPS = (
    *_CONNECTION,
    *entra_users.STEPS,
    *entra_groups.STEPS,
    *_FLAGGED,
    *_LEAVING,
    *validator_users.STEPS,
    *validator_groups.STEPS,
)
