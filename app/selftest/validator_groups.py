"""Microsoft's Validator and groups: required tests 14 to 25, previews 3, 6 and 7."""

from typing import Any

from app.selftest.entra_requests import (
    WITHOUT_MEMBERS,
    look_up,
)
from app.selftest.steps import (
    GROUP,
    UNKNOWN_ID,
    Step,
    finds,
    is_error,
    lacks,
    members,
    patch,
    shows,
)
from app.selftest.validator_requests import (
    PATCHED,
    preview,
    required,
)


def _group(name: str, external_id: str) -> dict[str, Any]:
    return {"schemas": [GROUP], "displayName": name, "externalId": external_id, "members": []}


_GROUP_NAME = "{run} Trial"
_BY_NAME = f'displayName eq "{_GROUP_NAME}"'
_REQUIRED = (
    Step(
        required(19, "create a group"),
        "POST",
        "/Groups",
        _group(_GROUP_NAME, "{guid}-trial"),
        (201,),
        (shows(_GROUP_NAME, "displayName"),),
        keeps="trial",
    ),
    Step(
        required(14, "group by id without members"),
        "GET",
        f"/Groups/{{trial}}?{WITHOUT_MEMBERS}",
        checks=(shows("{trial}", "id"), lacks("members")),
    ),
    Step(
        required(15, "filter for a group without members"),
        "GET",
        look_up("/Groups", _BY_NAME, WITHOUT_MEMBERS),
        checks=(finds("trial"), lacks("Resources", 0, "members")),
    ),
    Step(
        required(16, "filter for a group with members"),
        "GET",
        look_up("/Groups", _BY_NAME),
        checks=(finds("trial"), shows([], "Resources", 0, "members")),
    ),
    Step(
        required(17, "filter for an absent group"),
        "GET",
        look_up("/Groups", 'displayName eq "{guid}"', WITHOUT_MEMBERS),
        checks=(finds(),),
    ),
    Step(
        required(18, "filter for a group in another case"),
        "GET",
        look_up("/Groups", 'displayName eq "{run} TRIAL"', WITHOUT_MEMBERS),
        checks=(finds("trial"),),
    ),
    Step(
        required(20, "create a duplicate group"),
        "POST",
        "/Groups",
        _group(_GROUP_NAME, "{guid}-trial"),
        (409,),
        (is_error("uniqueness"),),
    ),
    Step(
        required(21, "replace attributes of a group"),
        "PATCH",
        "/Groups/{trial}",
        patch({"op": "replace", "value": {"externalId": "{guid}-trial-2"}}),
        PATCHED,
    ),
    Step(
        required(22, "update the displayName of a group"),
        "PATCH",
        "/Groups/{trial}",
        patch({"op": "replace", "path": "displayName", "value": "{run} Trial 2"}),
        PATCHED,
    ),
    Step(
        required(23, "add a member"),
        "PATCH",
        "/Groups/{trial}",
        patch({"op": "replace", "path": "members", "value": [{"value": "{max}"}]}),
        PATCHED,
    ),
    Step(
        required(23, "add a member, then read the group"),
        "GET",
        "/Groups/{trial}",
        checks=(
            members("max"),
            shows("{run} Trial 2", "displayName"),
            shows("{guid}-trial-2", "externalId"),
        ),
    ),
    Step(
        required(24, "remove a member"),
        "PATCH",
        "/Groups/{trial}",
        patch({"op": "remove", "path": 'members[value eq "{max}"]'}),
        PATCHED,
    ),
    Step(required(24, "remove a member, then read the group"), "GET", "/Groups/{trial}", checks=(members(),)),
)

_PREVIEW = (
    Step(
        preview(3, "add a member, then remove it, in one request"),
        "PATCH",
        "/Groups/{trial}",
        patch(
            {"op": "add", "path": "members", "value": [{"value": "{max}"}]},
            {"op": "remove", "path": 'members[value eq "{max}"]'},
        ),
        PATCHED,
    ),
    Step(
        preview(3, "add a member, then remove it, then read the group"),
        "GET",
        "/Groups/{trial}",
        checks=(members(),),
    ),
    Step(
        preview(6, "delete an unknown group"),
        "DELETE",
        f"/Groups/{UNKNOWN_ID}",
        status=(404,),
        checks=(is_error(),),
    ),
    Step(required(25, "delete a group"), "DELETE", "/Groups/{trial}", status=(204,)),
    Step(
        preview(7, "delete a group twice"), "DELETE", "/Groups/{trial}", status=(404,), checks=(is_error(),)
    ),
)

STEPS = (*_REQUIRED, *_PREVIEW)
