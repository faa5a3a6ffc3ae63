"""The set-up script, the self-test, the flows, Entra and Google: what their pages say is run."""

import json
import re
from typing import Any

from tests.okta.fake_okta import FakeOkta, serving
from tests.okta.identity_providers import (
    ENTRA_ENTITY_ID,
    ENTRA_METADATA,
    GOOGLE_ENTITY_ID,
    OKTA_ENTITY_ID,
    Okta,
    door_of,
    entra_claims,
    publish_metadata,
    with_token,
)
from tests.okta.reader import Reader
from tests.okta.walking import Section, sections
from tests.support.cast import json_of
from tests.support.idp_metadata import metadata_xml
from tests.support.saml_idp import key_pair
from tests.support.sign_on import session_of


def test_the_script_of_the_readme_sets_okta_up_before_and_after_the_connection(admin: Reader) -> None:
    (by_script,) = [one for one in sections("okta/README.md") if one.title == "By the script"]
    plan, apply = by_script.blocks
    (admin.shell.folder / "service-app.pem").write_text(key_pair("service").private_pem)
    admin.begin()
    with serving(FakeOkta(key_pair("service").certificate_pem)) as okta:

        def run(block: str) -> str:
            return admin.shell.run(block.replace("https://acme.okta.com", okta.url))

        assert "+ create the app 'Usher'" in run(plan)
        assert okta.writes == []
        assert set(okta.scopes) < set(re.findall(r"`(okta\.\w+\.\w+)`", by_script.text))
        (metadata_url,) = re.findall(r"^metadata_url: (.+)$", run(apply), re.MULTILINE)
        assert set(okta.scopes) < set(re.findall(r"`(okta\.\w+\.\w+)`", by_script.text))
        publish_metadata(admin.fetch, metadata_url, OKTA_ENTITY_ID)
        body = {"name": "Okta", "metadata_url": metadata_url}
        made = json_of(admin.organization.api.post("/connections", body))
        okta.apps["0oa1"]["features"] = ["GROUP_PUSH"]
        run(plan)
        printed = run(apply).splitlines()
        addresses, pushed = [line for line in printed if line.startswith("+")]
        assert re.findall(r"signOn\.(\w+)", addresses) == [
            "ssoAcsUrl",
            "recipient",
            "destination",
            "audience",
        ]
        assert pushed == "+ push 'usher-engineering'"
        assert okta.apps["0oa1"]["settings"]["signOn"]["ssoAcsUrl"] == made["acs_url"]


def test_the_selftest_that_the_submission_names_gives_its_evidence(admin: Reader) -> None:
    (command,) = re.findall(r"`(usher selftest okta [^`]+)`", sections("okta/oin.md")[0].text)
    evidence = json.loads(admin.shell.run(command))
    assert (evidence["ok"], evidence["failed"], evidence["left_behind"]) == (True, 0, [])
    assert evidence["requests"] > 30


def test_the_flows_make_calls_that_say_what_they_are_for(admin: Reader) -> None:
    organization = admin.organization
    okta = Okta(organization.scim, admin.domain)
    rows = re.findall(
        r"^\| ((?!Flow)[A-Z][\w ]+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", flows().text, re.MULTILINE
    )
    flow = {name: (re.findall(r"`GET (/api/v1/[^`]+)`", calls), scopes) for name, calls, scopes in rows}
    okta.push("ada")
    group_id = okta.push_group("usher-engineering", "ada")
    organization.map_group(group_id)
    user_id = f"user_{okta.ids['ada']}"

    def call(name: str) -> list[dict[str, Any]]:
        paths, scopes = flow.pop(name)
        key = organization.api_with(*re.findall(r"`(\w+:\w+)`", scopes))
        meant = [
            path.replace("{user_id}", user_id)
            .replace("user_name=…", f"user_name={admin.address('ada')}")
            .replace("user_id=…", f"user_id={user_id}")
            for path in paths
        ]
        answers = [key.get(path.removeprefix("/api/v1")) for path in meant]
        assert [answer.status_code for answer in answers] == [200] * len(paths), [one.text for one in answers]
        return [json_of(answer) for answer in answers]

    found, seat = call("Joiner")
    assert (found["data"][0]["id"], seat["state"]) == (user_id, "assigned")
    (explained,) = call("Mover")
    assert explained["role_name"] == "member"
    assert "limits" in explained
    (seat,) = call("Seat request")
    assert seat["state"] in ("assigned", "waitlisted")
    limit = {"scope": {"type": "user", "id": user_id}, "window": "monthly", "amount_usd": "50"}
    assert organization.api.post("/spend_limits", limit).status_code == 201
    (effective,) = call("Spend alert")
    assert {"remaining_usd", "amount_usd", "resets_at"} <= effective["data"][0].keys()
    okta.push("ada", active=False)
    found, seat = call("Leaver")
    assert (found["data"][0]["active"], seat["state"]) == (False, "released")
    assert flow == {}


def flows() -> Section:
    (page,) = sections("okta/workflows.md")
    return page


def test_entra_is_connected_as_its_page_says(admin: Reader) -> None:
    admin.begin()
    organization = admin.organization
    user_name = f"you_{admin.domain}#EXT#@tenant.onmicrosoft.com"

    def provision() -> None:
        title = "Microsoft Entra ID"
        client = with_token(organization, admin.secret(title))
        assert client.get('/Users?filter=userName eq "x"&aadOptscim062020').status_code == 200
        client.create_user(admin.address("you"), externalId="object-1", active="True")

    walked = admin.go_through(
        "docs/entra.md",
        {
            "METADATA_URL=": lambda: publish_metadata(admin.fetch, ENTRA_METADATA, ENTRA_ENTITY_ID),
            "usher scim trace": provision,
        },
    )
    printed = "".join(admin.printed[walked[0].title])
    assert "201" in printed
    assert re.search(r"^failed +0$", printed, re.MULTILINE)
    door = door_of(organization, "Entra", admin.domain, ENTRA_ENTITY_ID)
    email = admin.address("you")
    refused = door.refusal("you", **entra_claims(user_name, email, "object-1", "object-2"))
    assert refused == (403, "domain_not_verified")
    for groups in (("object-2", "object-3"), ()):
        session = json_of(session_of(door.sign_in("you", **entra_claims(email, email, "object-1", *groups))))
        assert session["user"]["user_name"] == email
    assert "`domain_not_verified`; guests" in walked[0].text


def test_google_is_connected_as_its_page_says(admin: Reader) -> None:
    admin.begin()
    organization = admin.organization
    file = admin.shell.folder / "GoogleIDPMetadata.xml"
    file.write_text(metadata_xml(entity_id=GOOGLE_ENTITY_ID))
    browsers = []

    def sign_in() -> None:
        door = door_of(organization, "Google", admin.domain, GOOGLE_ENTITY_ID)
        email = admin.address("you")
        attributes = {
            "email": (email,),
            "firstName": ("Yu",),
            "lastName": ("Test",),
            "groups": ("engineering", "all"),
        }
        browsers.append(door.sign_in(email, attributes=attributes))

    def is_signed_in() -> None:
        assert json_of(session_of(browsers[0]))["seat_state"] == "assigned"

    (walked,) = admin.go_through("docs/google.md", {"GROUP=": sign_in, "KEY=": is_signed_in})
    assert "metadata_not_polled" in "".join(admin.printed[walked.title])
    assert session_of(browsers[0]).status_code == 401
    days = json_of(organization.api.get("/organization"))["jit_seat_days"]
    assert f"lapse after {days} days" in walked.text
