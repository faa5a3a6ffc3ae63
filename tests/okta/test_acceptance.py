"""The acceptance list of `okta/acceptance.md`, gone through by a client that speaks as Okta does."""

import re
from collections.abc import Iterator

from app.core.ids import edge_id
from tests.okta.identity_providers import Okta
from tests.support.cast import Organization, json_of
from tests.support.server import ROOT
from tests.support.sign_on import session_of, sign_on

PAGE = (ROOT / "okta/acceptance.md").read_text()
LISTED = re.findall(r"^\| (\d+) \| (.+?) \| .+ \|$", PAGE, re.MULTILINE)


def checks(acme: Organization) -> Iterator[str]:  # noqa: PLR0915 - one list, in its order
    door = sign_on(acme, jit=False)
    okta = Okta(acme.scim, door.domain)
    scim, api = acme.scim, acme.api

    def seats(*names: str) -> list[str | None]:
        return [acme.seat_state(okta.ids[name]) for name in names]

    assert scim.get("/Users?startIndex=1&count=2").status_code == 200
    yield "Provisioning → Test Connector Configuration"
    refused = scim.get("/Users?startIndex=1&count=2", headers={"Authorization": "Bearer wrong"})
    assert json_of(refused)["status"] == "401"
    yield "Test it with a wrong token"
    okta.push("ada")
    okta.push("ben")
    people = json_of(api.get("/users"))["data"]
    assert [person["active"] for person in people] == [True, True]
    yield "Assign the group with both people"
    group_id = scim.create_group("usher-engineering")
    scim.add_members(group_id, *okta.ids.values())
    assert json_of(api.get(f"/groups/{edge_id('group', group_id)}"))["member_count"] == 2
    yield "Push the group"
    mapping_id = acme.map_group(group_id)
    assert seats("ada", "ben") == ["assigned", "assigned"]
    yield "Map the group to a role"
    explained = api.get(f"/users/{edge_id('user', okta.ids['ada'])}/explain")
    assert mapping_id in explained.text
    yield "Ask why the first has a seat"
    browser = door.sign_in("ada", **okta.claims("ada"))
    session = json_of(session_of(browser))
    assert (session["role"], session["seat_state"]) == ("member", "assigned")
    yield "Sign in as the first from `login_url`"
    eve = door.browser()
    request_id, relay_state = door.begin(eve)
    response = door.post(eve, door.message("eve", request_id, **okta.claims("eve")), relay_state)
    assert response.status_code == 403
    yield "Sign in as somebody who is not assigned"
    traces = json_of(api.get(f"/connections/conn_{door.connection_id}/traces?outcome=refused"))["data"]
    (trace,) = [one for one in traces if one["reference"] in response.text]
    assert trace["reason"] == "user_unknown"
    assert trace["hint"]
    yield "Look that number up"
    tile = door.browser()
    bounced = door.post(tile, door.message("ben", None, **okta.claims("ben")))
    assert bounced.status_code == 303
    assert json_of(session_of(door.sign_in("ben", tile, **okta.claims("ben"))))["seat_state"] == "assigned"
    yield "Use the tile on Okta's dashboard"
    again = door.browser()
    request_id, relay_state = door.begin(again)
    message = door.message("ada", request_id, **okta.claims("ada"))
    assert door.post(again, message, relay_state).status_code == 303
    assert door.post(again, message, relay_state).status_code == 403
    yield "Reload the last page of the sign-in"
    okta.push("ada", displayName="Ada L.")
    shown = json_of(api.get(f"/users/{edge_id('user', okta.ids['ada'])}"))
    assert (shown["display_name"], shown["seat_state"]) == ("Ada L.", "assigned")
    yield "Rename the first person in Okta"
    scim.remove_members(group_id, okta.ids["ben"])
    ben = json_of(api.get(f"/users/{edge_id('user', okta.ids['ben'])}"))
    assert (ben["seat_state"], ben["active"]) == ("released", True)
    yield "Take the second out of the group"
    scim.add_members(group_id, okta.ids["ben"])
    assert seats("ben") == ["assigned"]
    yield "Put the second back"
    renamed = {"op": "replace", "value": {"id": group_id, "displayName": "usher-builders"}}
    assert scim.patch_operations(f"/Groups/{group_id}", renamed).status_code in (200, 204)
    assert seats("ada", "ben") == ["assigned", "assigned"]
    yield "Rename the group in Okta"
    okta.push("ada", active=False)
    gone = json_of(api.get(f"/users/{edge_id('user', okta.ids['ada'])}"))
    assert (gone["active"], gone["seat_state"]) == (False, "released")
    yield "Unassign the first"
    assert session_of(browser).status_code == 401
    yield "Use the first's old session"
    okta.push("ada")
    assert seats("ada") == ["assigned"]
    yield "Assign the first again"
    token_id = json_of(api.get("/scim_tokens"))["data"][0]["id"]
    fresh = json_of(api.post(f"/scim_tokens/{token_id}/rotate"))["token"]
    for headers in ({}, {"Authorization": f"Bearer {fresh}"}):
        assert scim.get("/Users?startIndex=1&count=2", headers=headers).status_code == 200
    yield "Rotate the SCIM token"
    actions = acme.audit_actions(okta.ids["ada"])
    assert {"user.created", "user.deactivated", "seat.assigned", "seat.released"} <= set(actions)
    yield "Read the audit log"


def test_all_checks_of_the_list_hold(acme: Organization) -> None:
    assert [number for number, _ in LISTED] == [str(number) for number in range(1, 21)]
    assert list(checks(acme)) == [title for _, title in LISTED]


def test_the_list_is_as_long_as_its_title_says() -> None:
    assert f"{len(LISTED)} checks" in PAGE
