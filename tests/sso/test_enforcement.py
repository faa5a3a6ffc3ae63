"""The modes of a connection, and all that must be in place before it is enforced."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from app.core.clock import rfc3339
from app.sso.connections import effective_mode
from app.sso.domains import DomainService
from app.sso.enforcement import Enforcement
from app.sso.ownership import LAPSED, DomainOwnership
from tests.sso.test_connections import connect, shown
from tests.support.cast import Organization, in_organization, json_of
from tests.support.fakes import FakeClock
from tests.support.idp_metadata import metadata_xml
from tests.support.saml_idp import key_pair
from tests.support.sign_on import SignOn, session_of, sign_on

Later = Callable[..., None]


def set_mode(organization: Organization, connection: dict[str, Any], mode: str, **more: Any) -> Any:
    return organization.api.patch(f"/connections/{connection['id']}", {"mode": mode, **more})


def owner(organization: Organization) -> str:
    """Somebody who may manage sign-on."""
    user_id = organization.scim.create_user()
    organization.map_group(organization.scim.create_group(members=[user_id]), "owner")
    return user_id


def make_ready(organization: Organization, name: str) -> dict[str, Any]:
    """An optional connection to which nothing is missing but a way in without the identity provider."""
    made = connect(organization, mode="optional")
    with in_organization(organization.app, organization.id) as services:
        services.get(DomainService).verify_by_operator(name)
        services.commit()
    sign_in(organization, made, owner(organization))
    assert organization.api.get(f"/connections/{made['id']}/locked_out").status_code == 200
    return made


def sign_in(organization: Organization, connection: dict[str, Any], user_id: str) -> None:
    """As the ACS notes it."""
    connection_id = connection["id"].removeprefix("conn_")
    with in_organization(organization.app, organization.id) as services:
        services.get(Enforcement).note_sign_in(connection_id, connection["configuration_hash"], user_id)
        services.commit()


def test_a_ready_connection_is_enforced_after_a_notice_of_seven_days(
    acme: Organization, name: str, clock: FakeClock
) -> None:
    clock.stop()
    made = make_ready(acme, name)
    response = set_mode(acme, made, "enforced", break_glass="console_link")
    assert response.status_code == 200, response.text
    assert json_of(response)["mode"] == "enforced"
    assert json_of(response)["enforced_at"] == rfc3339(clock.now() + timedelta(days=7))


def test_enforcement_begins_on_its_day(acme: Organization, name: str, clock: FakeClock) -> None:
    clock.stop()
    made = make_ready(acme, name)
    day = rfc3339(clock.now() + timedelta(days=1))
    set_mode(acme, made, "enforced", break_glass="console_link", enforced_at=day)
    modes = []
    for _ in range(3):
        with in_organization(acme.app, acme.id, write=False) as services:
            row = services.get(Enforcement)._service.row(made["id"].removeprefix("conn_"))
            modes.append(effective_mode(row, services.uow.now))
        clock.advance(hours=12)
    assert modes == ["optional", "optional", "enforced"]


def test_a_bare_connection_is_told_all_that_is_missing_for_enforcement(acme: Organization) -> None:
    made = connect(acme, mode="optional")
    response = set_mode(acme, made, "enforced")
    assert (response.status_code, json_of(response)["code"]) == (409, "enforcement_refused")
    for missing in ("domain", "No owner has signed in", "one-time codes", "locked out"):
        assert missing in json_of(response)["detail"]
    assert shown(acme, made)["mode"] == "optional"


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"attributes": {"email": "mail"}}, "No owner has signed in"),
        ({"metadata_xml": metadata_xml(keys=[key_pair("idp-old", "old")])}, "No certificate"),
    ],
)
def test_a_change_of_configuration_needs_a_new_test(
    acme: Organization, name: str, change: dict[str, Any], missing: str
) -> None:
    made = make_ready(acme, name)
    assert acme.api.patch(f"/connections/{made['id']}", change).status_code == 200
    response = set_mode(acme, made, "enforced", break_glass="console_link")
    assert response.status_code == 409
    assert missing in json_of(response)["detail"]


def test_a_test_is_good_for_a_day(acme: Organization, name: str, later: Later) -> None:
    made = make_ready(acme, name)
    later(hours=25)
    response = set_mode(acme, made, "enforced", break_glass="console_link")
    assert "No owner has signed in" in json_of(response)["detail"]
    assert "has not been read" in json_of(response)["detail"]


def test_a_sign_in_of_somebody_who_is_no_owner_is_no_test(acme: Organization) -> None:
    made = connect(acme, mode="optional")
    sign_in(acme, made, acme.scim.create_user())
    assert shown(acme, made)["tested_at"] is None


def test_enforced_follows_optional_only(acme: Organization) -> None:
    for mode in ("off", "test"):
        made = connect(acme, mode=mode)
        response = set_mode(acme, made, "enforced", break_glass="console_link")
        assert (response.status_code, json_of(response)["code"]) == (409, "mode_step_refused")


@pytest.mark.parametrize("mode", ["off", "test", "optional"])
def test_a_step_down_from_enforced_is_free(acme: Organization, name: str, mode: str) -> None:
    made = make_ready(acme, name)
    set_mode(acme, made, "enforced", break_glass="console_link")
    response = set_mode(acme, made, mode)
    assert (response.status_code, json_of(response)["mode"], json_of(response)["enforced_at"]) == (
        200,
        mode,
        None,
    )


def test_a_new_connection_cannot_be_made_enforced(acme: Organization) -> None:
    body = {"name": "Okta", "mode": "enforced", "metadata_xml": metadata_xml()}
    assert acme.api.post("/connections", body).status_code == 409
    assert json_of(acme.api.get("/connections"))["data"] == []


def test_an_enforced_connection_and_its_domains_cannot_be_given_up(acme: Organization, name: str) -> None:
    made = make_ready(acme, name)
    set_mode(acme, made, "enforced", break_glass="console_link")
    (domain,) = json_of(acme.api.get("/domains"))["data"]
    for path in (f"/connections/{made['id']}", f"/domains/{domain['id']}"):
        response = acme.api.delete(path)
        assert (response.status_code, json_of(response)["code"]) == (409, "sso_enforced")


def test_every_step_is_audited_with_both_modes(acme: Organization) -> None:
    made = connect(acme)
    for mode in ("test", "test", "optional", "off"):
        set_mode(acme, made, mode)
    events = json_of(acme.api.get(f"/audit/events?target_id={made['id']}"))["data"]
    steps = [event["data"] for event in events if event["action"] == "connection.mode_changed"]
    assert [(step["before"], step["after"]) for step in steps] == [
        ("off", "test"),
        ("test", "optional"),
        ("optional", "off"),
    ]


def test_the_list_of_the_locked_out_names_the_active_who_never_signed_in(acme: Organization) -> None:
    made = connect(acme)
    stays, leaves = acme.scim.create_user("stays@acme.example"), acme.scim.create_user()
    acme.scim.set_active(leaves, False)
    listed = json_of(acme.api.get(f"/connections/{made['id']}/locked_out"))["data"]
    assert [(person["user_id"], person["user_name"]) for person in listed] == [
        (f"user_{stays}", "stays@acme.example")
    ]


def test_a_day_of_enforcement_in_the_past_is_refused(acme: Organization, name: str) -> None:
    made = make_ready(acme, name)
    response = set_mode(
        acme, made, "enforced", break_glass="console_link", enforced_at="2020-01-01T00:00:00Z"
    )
    assert response.status_code == 422


# The day


@pytest.fixture
def in_force(acme: Organization, clock: FakeClock) -> tuple[SignOn, FlaskClient]:
    """A connection that enforces sign-on in a day, and an owner who signed in by it before."""
    clock.stop()
    door = sign_on(acme)
    email = f"owner@{door.domain}"
    acme.map_group(acme.scim.create_group(members=[acme.scim.create_user(email)]), "owner")
    browser = door.sign_in(email)
    path = f"/connections/conn_{door.connection_id}"
    assert acme.api.get(f"{path}/locked_out").status_code == 200
    day = rfc3339(clock.now() + timedelta(hours=1))
    body = {"mode": "enforced", "break_glass": "console_link", "enforced_at": day}
    response = acme.api.patch(path, body)
    assert response.status_code == 200, response.text
    return door, browser


def test_sessions_from_before_end_on_the_day_before_anybody_writes_it_down(
    in_force: tuple[SignOn, FlaskClient], clock: FakeClock
) -> None:
    door, browser = in_force
    clock.advance(minutes=59)
    assert session_of(browser).status_code == 200
    clock.advance(minutes=1)
    assert session_of(browser).status_code == 401
    assert json_of(door.organization.api.get("/sessions"))["data"] == []
    again = door.sign_in(f"owner@{door.domain}", browser)
    assert session_of(again).status_code == 200


def test_the_worker_writes_down_that_they_ended(
    acme: Organization, in_force: tuple[SignOn, FlaskClient], later: Later
) -> None:
    door, _ = in_force
    later(hours=1)
    fresh = door.sign_in(f"owner@{door.domain}")
    later(seconds=1)
    events = json_of(acme.api.get("/audit/events?action=session.ended"))["data"]
    assert [event["data"]["reason"] for event in events] == ["sso_enforced"]
    assert session_of(fresh).status_code == 200


def test_a_session_that_waits_when_the_day_comes_is_worth_nothing(
    in_force: tuple[SignOn, FlaskClient], clock: FakeClock
) -> None:
    door, _ = in_force
    browser = door.browser()
    clock.advance(minutes=59, seconds=30)
    request_id, relay_state = door.begin(browser)
    waiting = door.post(browser, door.message(f"owner@{door.domain}", request_id), relay_state)
    clock.advance(seconds=31)
    browser.get(waiting.headers["Location"])
    assert session_of(browser).status_code == 401


def test_another_connection_lets_nobody_but_testers_in_from_the_day_on(
    acme: Organization, in_force: tuple[SignOn, FlaskClient], clock: FakeClock
) -> None:
    door, _ = in_force
    tester, guest = f"tester@{door.domain}", f"guest@{door.domain}"
    other = sign_on(acme, door.domain, testers=[tester])
    before = other.sign_in(guest)
    clock.advance(hours=1)
    assert session_of(before).status_code == 401
    assert other.refusal(guest) == (403, "enforced_elsewhere")
    other.set(mode="test")
    assert session_of(other.sign_in(tester)).status_code == 200
    assert other.refusal(guest) == (403, "not_a_tester")


def test_a_second_connection_in_force_lets_people_in_as_well(
    acme: Organization, in_force: tuple[SignOn, FlaskClient], clock: FakeClock
) -> None:
    door, _ = in_force
    other = sign_on(acme, door.domain)
    other.set(mode="enforced", enforced_at=clock.now())
    clock.advance(hours=1)
    for connection in (door, other):
        assert session_of(connection.sign_in(f"owner@{door.domain}")).status_code == 200


def test_discovery_leads_to_what_is_in_force(
    acme: Organization, in_force: tuple[SignOn, FlaskClient], clock: FakeClock
) -> None:
    door, _ = in_force
    other = sign_on(acme, door.domain, sso_url="https://other.example/sso")
    (domain,) = json_of(acme.api.get("/domains"))["data"]
    acme.api.patch(f"/domains/{domain['id']}", {"connection_id": f"conn_{other.connection_id}"})

    def leads_to() -> str:
        found = door.browser().get(f"/sso/login?email=anybody@{door.domain}").headers["Location"]
        return str(urlsplit(found).hostname)

    assert leads_to() == "other.example"
    clock.advance(hours=1)
    assert leads_to() == "idp.example"


def test_enforcement_elsewhere_is_nobody_elses_matter(
    in_force: tuple[SignOn, FlaskClient], globex: Organization, clock: FakeClock
) -> None:
    other = sign_on(globex)
    browser = other.sign_in(f"eve@{other.domain}")
    clock.advance(hours=1)
    assert session_of(browser).status_code == 200
    assert session_of(other.sign_in(f"eve@{other.domain}")).status_code == 200


def test_the_list_of_the_locked_out_tells_whom_only_sign_ins_made(
    acme: Organization, in_force: tuple[SignOn, FlaskClient]
) -> None:
    door, _ = in_force
    acme.scim.create_user(f"known@{door.domain}")
    other = sign_on(acme, door.domain)
    other.sign_in(f"guest@{door.domain}")
    listed = json_of(acme.api.get(f"/connections/conn_{door.connection_id}/locked_out"))["data"]
    assert {(person["user_name"].partition("@")[0], person["origin"]) for person in listed} == {
        ("known", "provisioned"),
        ("guest", "jit"),
    }


def test_codes_of_owners_who_left_open_no_gate(acme: Organization, name: str) -> None:
    made = make_ready(acme, name)
    stays, leaves = owner(acme), owner(acme)
    for user_id in (stays, leaves):
        acme.api.post("/break_glass_codes", {"user_id": f"user_{user_id}"})
    acme.scim.set_active(leaves, False)
    response = set_mode(acme, made, "enforced")
    assert (response.status_code, "one-time codes" in json_of(response)["detail"]) == (409, True)


# Reminders


def reminders(organization: Organization) -> list[int]:
    listed = json_of(organization.api.get("/audit/events?action=connection.enforcement_near"))["data"]
    return [entry["data"]["days"] for entry in listed]


def test_a_coming_enforcement_is_said_again_three_days_and_one_day_before(
    acme: Organization, name: str, later: Later
) -> None:
    set_mode(acme, make_ready(acme, name), "enforced", break_glass="console_link")
    seen = []
    for _ in range(8):
        later(days=1)
        seen.append(reminders(acme))
    assert seen == [[], [], [], [3], [3], [3, 1], [3, 1], [3, 1]]


def test_a_late_reminder_is_only_the_nearest_and_a_new_day_has_its_own(
    acme: Organization, name: str, later: Later, clock: FakeClock
) -> None:
    made = make_ready(acme, name)
    set_mode(acme, made, "enforced", break_glass="console_link")
    later(days=6, hours=1)
    assert reminders(acme) == [1]
    set_mode(acme, made, "enforced", enforced_at=rfc3339(clock.now() + timedelta(days=4)))
    later(days=2)
    assert reminders(acme) == [1, 3]


def test_an_enforcement_that_was_taken_back_is_not_reminded_of(
    acme: Organization, name: str, later: Later
) -> None:
    made = make_ready(acme, name)
    set_mode(acme, made, "enforced", break_glass="console_link")
    set_mode(acme, made, "optional")
    later(days=6)
    assert reminders(acme) == []


# The end of a proof


def test_a_lapsed_domain_lets_in_whom_we_know_and_nobody_new(acme: Organization) -> None:
    door = sign_on(acme)
    known = f"known@{door.domain}"
    door.sign_in(known)
    with in_organization(acme.app, acme.id) as services:
        (domain,) = services.get(DomainService).page(limit=10)
        services.get(DomainOwnership).put(LAPSED, domain.name, domain.id)
        services.commit()
    assert session_of(door.sign_in(known)).status_code == 200
    assert door.refusal(f"new@{door.domain}") == (403, "domain_lapsed")
    page = door.browser().get(f"/sso/login?email={known}")
    assert (page.status_code, "There is no single sign-on" in page.text) == (200, True)
