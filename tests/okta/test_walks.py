"""Each block of the pages for administrators is run, in its order, with what people do between."""

import re
from collections.abc import Callable
from typing import Any

from tests.okta.identity_providers import (
    ENTRA_ENTITY_ID,
    ENTRA_METADATA,
    OKTA_ENTITY_ID,
    OKTA_METADATA,
    Okta,
    door_of,
    entra_claims,
    publish_metadata,
    seat_of,
    with_token,
)
from tests.okta.reader import Reader
from tests.okta.walking import sections
from tests.support.cast import json_of
from tests.support.sign_on import session_of

PROVISIONING = "5. Switch provisioning on (6 minutes, no API for it)"


def connect_okta(admin: Reader, okta: dict[str, Okta]) -> dict[str, Callable[[], None]]:
    """What Okta and its administrator do between the blocks of the runbook."""

    def push() -> None:
        pushed = Okta(with_token(admin.organization, admin.secret(PROVISIONING)), admin.domain)
        for name in ("you", "deputy"):
            pushed.push(name)
        pushed.push_group("usher-engineering", "you", "deputy")
        okta["okta"] = pushed

    def sign_in() -> None:
        door = door_of(admin.organization, "Okta", admin.domain, OKTA_ENTITY_ID)
        session = json_of(session_of(door.sign_in("you", **okta["okta"].claims("you"))))
        assert (session["role"], session["seat_state"]) == ("member", "assigned")

    def try_connector() -> None:
        client = with_token(admin.organization, admin.secret(PROVISIONING))
        assert client.get("/Users?startIndex=1&count=2").status_code == 200

    return {
        'api -X POST "$API/domains/$DOMAIN/check"': admin.publish_record,
        "METADATA_URL=": lambda: publish_metadata(admin.fetch, OKTA_METADATA, OKTA_ENTITY_ID),
        "usher scim trace --org acme\n": try_connector,
        "usher scim trace --org acme --group": push,
        "usher user explain": sign_in,
    }


def test_the_runbook_leads_to_a_seat_and_each_step_has_a_way_back(admin: Reader) -> None:
    okta: dict[str, Okta] = {}
    walked = admin.go_through("okta/runbook.md", connect_okta(admin, okta))
    printed = {title.partition(".")[0]: "".join(outputs) for title, outputs in admin.printed.items()}
    assert '"TXT"' in printed["1"]
    assert '"mode":"test"' in printed["3"].replace(" ", "")
    assert '"warnings":[]' in printed["3"].replace(" ", "")
    for told in ("/acs", "/metadata", "/login", "RSA-SHA256", "user.email"):
        assert told in printed["4"]
    assert re.search(r"\b200 +GET +/scim/v2/Users", printed["5"])
    assert "201" in printed["6"]
    assert ("assigned" in printed["7"], "accepted" in printed["7"]) == (True, True)
    assert seat_of(admin.organization, admin.address("you")) == "assigned"
    for section in reversed(walked):
        for call in section.ways_back:
            admin.shell.run(call)
    assert json_of(admin.organization.api.get("/connections"))["data"] == []
    assert json_of(admin.organization.api.get("/domains"))["data"] == []
    assert seat_of(admin.organization, admin.address("you")) == "released"


def test_the_rollout_goes_up_to_enforced_over_to_another_provider_and_out(admin: Reader) -> None:
    okta: dict[str, Okta] = {}
    admin.go_through("okta/runbook.md", connect_okta(admin, okta))
    organization = admin.organization

    def door(name: str, entity_id: str) -> Any:
        return door_of(organization, name, admin.domain, entity_id)

    def make_owners() -> None:
        group_id = okta["okta"].push_group("usher-owners", "you", "deputy")
        order = [{"group_id": f"group_{group_id}", "role_id": organization.role_id("owner")}]
        mapped = json_of(organization.api.get("/group_mappings"))
        order += [{name: one[name] for name in ("group_id", "role_id")} for one in mapped["data"]]
        headers = {"If-Match": str(mapped["version"])}
        answer = organization.api.put("/group_mappings", {"data": order}, headers=headers)
        assert answer.status_code == 200, answer.text
        door("Okta", OKTA_ENTITY_ID).sign_in("you", **okta["okta"].claims("you"))

    def enforced_and_idp_down() -> None:
        admin.clock.advance(days=8)
        code = re.findall(r"usher_breakglass_\w+", "".join(admin.printed["Before `enforced`"]))[0]
        browser = organization.app.test_client()
        (path,) = re.findall(r"open `(/sso/[^`]+)`", page)
        assert browser.get(path).status_code == 200
        entered = browser.post(path, data={"code": code}, headers={"Sec-Fetch-Site": "same-origin"})
        assert entered.status_code == 303
        assert session_of(browser).status_code == 200

    def second_connection() -> None:
        publish_metadata(admin.fetch, ENTRA_METADATA, ENTRA_ENTITY_ID)
        body = {
            "name": "Entra",
            "metadata_url": ENTRA_METADATA,
            "mode": "test",
            "testers": [admin.address("you"), admin.address("deputy")],
        }
        assert organization.api.post("/connections", body).status_code == 201
        for name in ("you", "deputy"):
            # The same stable id as before.
            claims = entra_claims(name, admin.address(name), f"00u{name}")
            door("Entra", ENTRA_ENTITY_ID).sign_in(name, **claims)

    def everybody_moves() -> None:
        start = organization.app.test_client().get(f"/sso/login?email={admin.address('you')}")
        assert start.headers["Location"].startswith("https://idp.example/sso"), start.text
        claims = entra_claims("you", admin.address("you"), "00uyou")
        session = json_of(session_of(door("Entra", ENTRA_ENTITY_ID).sign_in("you", **claims)))
        assert session["user"]["id"] == f"user_{okta['okta'].ids['you']}"

    page = "".join(section.text for section in sections("docs/rollout.md"))
    admin.go_through(
        "docs/rollout.md",
        {
            "for NAME in": make_owners,
            'api "$API/audit/events?action=break_glass.used"': enforced_and_idp_down,
            "usher sso trace": second_connection,
            "usher scim-token create --org acme --name entra": everybody_moves,
        },
    )
    printed = admin.printed
    assert "".join(printed["Before `enforced`"]).count('"codes"') == 2
    assert '"break_glass.used"' in printed["Break-glass drill, each quarter"][0].replace(" ", "")
    assert printed["Move to another identity provider"][0].count("accepted") >= 2
    assert "X-Next-Cursor" in printed["Leave"][0]
