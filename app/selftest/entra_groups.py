"""Entra and groups: matched without members, created, joined and left."""

from app.selftest.entra_requests import (
    change_group,
    group_look_up,
)
from app.selftest.steps import (
    GROUP,
    Step,
    finds,
    is_error,
    lacks,
    members,
    shows,
)

# Entra writes the 2006 namespace of its own directory into a group.
_ADSCIM = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"

STEPS = (
    Step(
        "Match the group before create",
        "GET",
        group_look_up('displayName eq "{run} Sales"'),
        checks=(finds(),),
    ),
    Step(
        "Create a group with the old Microsoft namespace",
        "POST",
        "/Groups",
        {
            "schemas": [GROUP, _ADSCIM],
            "externalId": "{guid}-sales",
            "displayName": "{run} Sales",
            "meta": {"resourceType": "Group"},
        },
        (201,),
        (shows([GROUP], "schemas"), shows("{guid}-sales", "externalId")),
        keeps="group",
    ),
    Step(
        "Create a group whose name is taken",
        "POST",
        "/Groups",
        {"schemas": [GROUP], "displayName": "{run} SALES"},
        (409,),
        (is_error("uniqueness"),),
    ),
    change_group(
        "Add members",
        {
            "op": "Add",
            "path": "members",
            "value": [{"$ref": None, "value": "{anna}"}, {"$ref": None, "value": "{ben}"}],
        },
    ),
    Step(
        "Read the group without its members",
        "GET",
        "/Groups/{group}?excludedAttributes=members",
        checks=(shows("{run} Sales", "displayName"), lacks("members")),
    ),
    change_group(
        "Remove a member by a list of values",
        {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": "{ben}"}]},
    ),
    Step("Only that member has left", "GET", "/Groups/{group}", checks=(members("anna"),)),
    change_group("Rename the group", {"op": "Replace", "path": "displayName", "value": "{run} Field Sales"}),
    change_group("Change its externalId", {"op": "Replace", "path": "externalId", "value": "{guid}-field"}),
    Step(
        "Match the group by its new name",
        "GET",
        group_look_up('displayName eq "{run} field sales"'),
        checks=(finds("group"),),
    ),
)
