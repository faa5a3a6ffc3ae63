"""Okta's provisioning job, as it was observed: catalogue app and App Integration Wizard, users and groups."""

from typing import Any
from urllib.parse import quote

from app.selftest.steps import (
    DOMAIN,
    GROUP,
    UNKNOWN_ID,
    USER,
    Step,
    finds,
    is_error,
    lacks,
    lists,
    members,
    patch,
    shows,
)

_ANNA = f"{{run}}.Anna@{DOMAIN}"
_BEN = f"{{run}}.ben@{DOMAIN}"


def _person(user_name: str, given_name: str, external_id: str) -> dict[str, Any]:
    """What Okta sends for a new person; the password is a random filler, sent even without password sync."""
    return {
        "schemas": [USER],
        "userName": user_name,
        "name": {"givenName": given_name, "familyName": "Selftest"},
        "emails": [{"primary": True, "value": user_name, "type": "work"}],
        "displayName": f"{given_name} Selftest",
        "locale": "en-US",
        "externalId": external_id,
        "groups": [],
        "password": "1mz050nq-{guid}",
        "active": True,
    }


def _wizard_person(**changes: Any) -> dict[str, Any]:
    person = {**_person(_ANNA, "Anna", "{guid}-anna"), **changes}
    return {name: value for name, value in person.items() if value is not None}


def _look_up(endpoint: str, attribute: str, value: str) -> str:
    """Okta percent-encodes the whole filter."""
    condition = quote(f'{attribute} eq "{value}"', safe="{}")
    return f"{endpoint}?filter={condition}&startIndex=1&count=100"


_USERS = (
    Step("Test connection", "GET", "/Users?startIndex=1&count=2", checks=(lists(),)),
    Step(
        "Test connection, wrong token",
        "GET",
        "/Users?startIndex=1&count=2",
        status=(401,),
        checks=(is_error(), shows("401", "status")),
        authorization="Bearer wrong",
    ),
    Step(
        "Test connection, header mode with the bare token",
        "GET",
        "/Users?startIndex=1&count=2",
        checks=(lists(),),
        authorization="{token}",
    ),
    Step("Look for the user before create", "GET", _look_up("/Users", "userName", _ANNA), checks=(finds(),)),
    Step(
        "Create a user",
        "POST",
        "/Users",
        _person(_ANNA, "Anna", "{guid}-anna"),
        (201,),
        (
            shows(_ANNA, "userName"),
            shows("{guid}-anna", "externalId"),
            shows("Anna", "name", "givenName"),
            shows(_ANNA, "emails", 0, "value"),
            shows(True, "active"),
            lacks("password"),
        ),
        keeps="anna",
    ),
    Step(
        "Create a user with plain JSON as the media type",
        "POST",
        "/Users",
        _person(_BEN, "Ben", "{guid}-ben"),
        (201,),
        (shows(_BEN, "userName"),),
        keeps="ben",
        content_type="application/json",
    ),
    Step(
        "Create a user who exists",
        "POST",
        "/Users",
        _person(_ANNA, "Anna", "{guid}-anna"),
        (409,),
        (is_error("uniqueness"),),
    ),
    Step(
        "Look up in capital letters",
        "GET",
        _look_up("/Users", "userName", f"{{run}}.ANNA@{DOMAIN.upper()}"),
        checks=(finds("anna"),),
    ),
    Step("Look up an unknown user", "GET", f"/Users/{UNKNOWN_ID}", status=(404,), checks=(is_error(),)),
    Step("Read the user before an update", "GET", "/Users/{anna}", checks=(shows("{anna}", "id"),)),
    Step(
        "Update: all of the user comes back, read attributes included",
        "PUT",
        "/Users/{anna}",
        {"displayName": "Anna B.", "title": "Lead"},
        checks=(shows("{anna}", "id"), shows("Anna B.", "displayName"), shows("Lead", "title")),
        echoes=True,
    ),
    Step(
        "Update: an emptied attribute is pushed as empty text",
        "PUT",
        "/Users/{anna}",
        {"title": ""},
        checks=(lacks("title"), shows("Anna B.", "displayName")),
        echoes=True,
    ),
    Step(
        "Deactivate by PATCH",
        "PATCH",
        "/Users/{anna}",
        patch({"op": "replace", "value": {"active": False}}),
        (200, 204),
        (shows(False, "active"),),
    ),
    Step("Read the deactivated user", "GET", "/Users/{anna}", checks=(shows(False, "active"),)),
    Step(
        "Reactivate by PATCH",
        "PATCH",
        "/Users/{anna}",
        patch({"op": "replace", "value": {"active": True}}),
        (200, 204),
        (shows(True, "active"), shows("{anna}", "id")),
    ),
    Step(
        "Password sync",
        "PATCH",
        "/Users/{anna}",
        patch({"op": "replace", "value": {"password": "Chosen-{guid}"}}),
        (200, 204),
        (lacks("password"),),
    ),
    Step(
        "Wizard app: deactivate by PUT",
        "PUT",
        "/Users/{anna}",
        _wizard_person(active=False),
        checks=(shows(False, "active"),),
    ),
    Step(
        "Wizard app: PUT without active wakes nobody",
        "PUT",
        "/Users/{anna}",
        _wizard_person(active=None),
        checks=(shows(False, "active"), shows("{anna}", "id")),
    ),
    Step(
        "Wizard app: reactivate by PUT",
        "PUT",
        "/Users/{anna}",
        _wizard_person(),
        checks=(shows(True, "active"),),
    ),
    Step("Import, first page", "GET", "/Users?startIndex=1&count=100", checks=(lists(),)),
    Step("Import, second page", "GET", "/Users?startIndex=101&count=100", checks=(shows(101, "startIndex"),)),
)

_GROUPS = (
    Step(
        "Look for the group before push",
        "GET",
        _look_up("/Groups", "displayName", "{run} Engineers"),
        checks=(finds(),),
    ),
    Step(
        "Push a group",
        "POST",
        "/Groups",
        {"schemas": [GROUP], "displayName": "{run} Engineers", "members": []},
        (201,),
        (shows("{run} Engineers", "displayName"),),
        keeps="group",
    ),
    Step(
        "Link the group by its name",
        "GET",
        _look_up("/Groups", "displayName", "{run} Engineers"),
        checks=(finds("group"),),
    ),
    Step(
        "Rename, with the id in the value",
        "PATCH",
        "/Groups/{group}",
        patch({"op": "replace", "value": {"id": "{group}", "displayName": "{run} Builders"}}),
        (200, 204),
    ),
    Step(
        "Add a member",
        "PATCH",
        "/Groups/{group}",
        patch({"op": "add", "path": "members", "value": [{"value": "{anna}", "display": _ANNA}]}),
        (200, 204),
    ),
    Step(
        "Change members: removal by filter and addition in one request",
        "PATCH",
        "/Groups/{group}",
        patch(
            {"op": "remove", "path": 'members[value eq "{anna}"]'},
            {"op": "add", "path": "members", "value": [{"value": "{ben}", "display": _BEN}]},
        ),
        (200, 204),
    ),
    Step(
        "Read the group",
        "GET",
        "/Groups/{group}",
        checks=(shows("{run} Builders", "displayName"), members("ben")),
    ),
    Step(
        "Remove somebody who is no member",
        "PATCH",
        "/Groups/{group}",
        patch({"op": "remove", "path": 'members[value eq "{anna}"]'}),
        (200, 204),
    ),
    Step(
        "Replace the members with a path",
        "PATCH",
        "/Groups/{group}",
        patch({"op": "replace", "path": "members", "value": [{"value": "{anna}", "display": _ANNA}]}),
        (200, 204),
    ),
    Step(
        "Replace the members without a path",
        "PATCH",
        "/Groups/{group}",
        patch({"op": "replace", "value": {"members": [{"value": "{anna}"}, {"value": "{ben}"}]}}),
        (200, 204),
    ),
    Step("Read the members", "GET", "/Groups/{group}", checks=(members("anna", "ben"),)),
    Step(
        "Wizard app: PUT the group without its id",
        "PUT",
        "/Groups/{group}",
        {"schemas": [GROUP], "displayName": "{run} Builders", "members": [{"value": "{ben}"}]},
        checks=(shows("{group}", "id"), members("ben")),
    ),
    Step("Unlink and delete the group", "DELETE", "/Groups/{group}", status=(204,)),
    Step("The group is gone", "GET", "/Groups/{group}", status=(404,), checks=(is_error(),)),
)

_ENTITLEMENTS = (
    Step("Entitlements: resource types", "GET", "/ResourceTypes", checks=(lists("User", "Group", "Role"),)),
    Step("Entitlements: schemas", "GET", "/Schemas", checks=(lists(USER, GROUP),)),
    Step("Entitlements: roles", "GET", "/Roles", checks=(lists(),)),
)

STEPS = (*_USERS, *_GROUPS, *_ENTITLEMENTS)
