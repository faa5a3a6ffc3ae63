"""Who a subject is: provisioned people, people made by signing in, their groups and seats."""

from collections.abc import Callable
from typing import Any

import pytest

from app.core.ids import edge_id
from app.governance.jit_seats import JitSeats
from tests.support.cast import Organization, in_organization, json_of
from tests.support.fakes import FakeClock
from tests.support.sign_on import SignOn, session_of, sign_on

Later = Callable[..., None]


@pytest.fixture
def door(acme: Organization) -> SignOn:
    return sign_on(acme)


def user_of(acme: Organization, browser: Any) -> str:
    return str(json_of(session_of(browser))["user"]["id"]).removeprefix("user_")


def groups_of(acme: Organization, user_id: str) -> list[str]:
    return [group["display"] for group in json_of(acme.scim.get(f"/Users/{user_id}")).get("groups", [])]


def with_groups(email: str, *names: str) -> dict[str, Any]:
    return {"attributes": {"email": (email,), "groups": names}}


# Who it is


def test_a_new_person_is_made_where_the_connection_may(door: SignOn, acme: Organization) -> None:
    email = f"new@{door.domain}"
    told = {"email": (email,), "firstName": ("Ada",), "lastName": ("Lovelace",)}
    user_id = user_of(acme, door.sign_in(email, attributes=told))
    shown = json_of(acme.scim.get(f"/Users/{user_id}"))
    assert (shown["userName"], shown["displayName"], shown["active"]) == (email, "Ada Lovelace", True)
    assert shown["name"] == {"givenName": "Ada", "familyName": "Lovelace"}
    assert acme.audit_actions(user_id)[:3] == ["user.created", "user.identity_linked", "user.signed_in"]


def test_without_jit_nobody_new_comes_in(door: SignOn) -> None:
    door.set(jit=False)
    assert door.refusal(f"new@{door.domain}") == (403, "user_unknown")


def test_the_same_subject_is_the_same_person_under_a_new_address(door: SignOn, acme: Organization) -> None:
    def told(email: str) -> dict[str, Any]:
        return {"attributes": {"email": (email,), "user_id": ("00u1",)}}

    door.set(attributes={"stable_id": "user_id"})
    one = user_of(acme, door.sign_in(f"miss@{door.domain}", **told(f"miss@{door.domain}")))
    two = user_of(acme, door.sign_in(f"mrs@{door.domain}", **told(f"mrs@{door.domain}")))
    assert one == two
    assert json_of(acme.scim.get(f"/Users/{one}"))["emails"][0]["value"] == f"mrs@{door.domain}"


def test_another_subject_is_never_the_same_person_by_address_alone(door: SignOn, acme: Organization) -> None:
    """A reused address: who had it before stays who they are."""
    door.set(attributes={"stable_id": "user_id"})
    email = f"info@{door.domain}"
    door.sign_in(email, attributes={"email": (email,), "user_id": ("00u1",)})
    told = {"attributes": {"email": (email,), "user_id": ("00u2",)}}
    assert door.refusal(email, **told) == (403, "identity_conflict")


def test_a_provisioned_person_is_found_by_external_id_name_or_address(
    door: SignOn, acme: Organization
) -> None:
    door.set(attributes={"stable_id": "user_id"})
    people = {
        name: acme.scim.create_user(user_name, **attributes)
        for name, user_name, attributes in (
            ("external", "e-number", {"externalId": "00u7"}),
            ("named", f"named@{door.domain}", {}),
            ("addressed", "a-number", {"emails": [{"value": f"addressed@{door.domain}"}]}),
        )
    }
    for name, subject in (("external", "00u7"), ("named", "00u8"), ("addressed", "00u9")):
        email = f"{name}@{door.domain}"
        told = {"email": (email,), "user_id": (subject,)}
        assert user_of(acme, door.sign_in(email, attributes=told)) == people[name]


def test_a_name_and_an_address_of_two_people_are_refused(door: SignOn, acme: Organization) -> None:
    acme.scim.create_user(f"one@{door.domain}")
    acme.scim.create_user(f"two@{door.domain}")
    changes = {"attributes": {"email": (f"one@{door.domain}",)}, "name_id": f"two@{door.domain}"}
    assert door.refusal("ignored", **changes) == (403, "identity_ambiguous")


@pytest.mark.parametrize(
    ("provisioned", "asserted"), [("sam", "\u017fam"), ("kim", "\u212aim"), ("straße", "strasse")]
)
def test_letters_that_only_fold_alike_are_different_people(
    door: SignOn, acme: Organization, provisioned: str, asserted: str
) -> None:
    user_id = acme.scim.create_user(f"{provisioned}@{door.domain}")
    email = f"{asserted}@{door.domain}"
    browser = door.browser()
    request_id, relay_state = door.begin(browser)
    response = door.post(browser, door.message(email, request_id), relay_state)
    if response.status_code == 303:
        browser.get(response.headers["Location"])
        assert user_of(acme, browser) != user_id
    else:
        assert (response.status_code, response.headers["X-Usher-Reason"]) == (403, "identity_ambiguous")


def test_ascii_case_is_no_difference(door: SignOn, acme: Organization) -> None:
    user_id = acme.scim.create_user(f"Ada@{door.domain}")
    assert user_of(acme, door.sign_in(f"aDA@{door.domain.upper()}")) == user_id


# SCIM wins


def test_a_sign_in_reactivates_nobody(door: SignOn, acme: Organization) -> None:
    email = f"leaver@{door.domain}"
    user_id = acme.scim.create_user(email)
    acme.scim.set_active(user_id, False)
    assert door.refusal(email) == (403, "user_inactive")
    assert json_of(acme.scim.get(f"/Users/{user_id}"))["active"] is False


def test_a_sign_in_brings_nobody_back_whom_the_idp_deleted(door: SignOn, acme: Organization) -> None:
    email = f"leaver@{door.domain}"
    user_id = acme.scim.create_user(email)
    door.sign_in(email)
    acme.scim.delete(f"/Users/{user_id}")
    assert door.refusal(email) == (403, "user_deleted")


def test_who_is_provisioned_again_signs_in_as_the_new_person(door: SignOn, acme: Organization) -> None:
    email = f"back@{door.domain}"
    acme.scim.delete(f"/Users/{acme.scim.create_user(email)}")
    again = acme.scim.create_user(email)
    assert user_of(acme, door.sign_in(email)) == again


def test_a_subject_is_free_for_who_comes_after_the_deleted(door: SignOn, acme: Organization) -> None:
    email = f"back@{door.domain}"
    first = acme.scim.create_user(email)
    assert user_of(acme, door.sign_in(email)) == first
    acme.scim.delete(f"/Users/{first}")
    again = acme.scim.create_user(email)
    assert [user_of(acme, door.sign_in(email)) for _ in range(2)] == [again, again]


def test_whom_the_idp_renames_is_the_same_person_under_the_new_name(door: SignOn, acme: Organization) -> None:
    """Google and others send the address as the only name of the subject."""
    user_id = acme.scim.create_user(f"miss@{door.domain}")
    assert user_of(acme, door.sign_in(f"miss@{door.domain}")) == user_id
    acme.scim.patch_operations(
        f"/Users/{user_id}", {"op": "replace", "path": "userName", "value": f"mrs@{door.domain}"}
    )
    assert user_of(acme, door.sign_in(f"mrs@{door.domain}")) == user_id


def test_a_name_that_no_index_holds_is_refused(door: SignOn) -> None:
    changes = {
        "name_id": "x" * 5000,
        "name_id_format": None,
        "attributes": {"email": (f"ada@{door.domain}",)},
    }
    assert door.refusal("ignored", **changes) == (403, "subject_too_long")


def test_a_sign_in_overwrites_nothing_of_a_provisioned_person(door: SignOn, acme: Organization) -> None:
    email = f"ada@{door.domain}"
    user_id = acme.scim.create_user(email, displayName="Ada of SCIM")
    before = json_of(acme.scim.get(f"/Users/{user_id}"))
    door.sign_in(email, attributes={"email": (email,), "displayName": ("Ada of SAML",)})
    assert json_of(acme.scim.get(f"/Users/{user_id}")) == before


def test_a_sign_in_updates_whom_only_sign_ins_made(door: SignOn, acme: Organization) -> None:
    email = f"ada@{door.domain}"
    user_id = user_of(acme, door.sign_in(email))
    door.sign_in(email, attributes={"email": (email,), "displayName": ("Countess",)})
    assert json_of(acme.scim.get(f"/Users/{user_id}"))["displayName"] == "Countess"


def test_the_idp_takes_over_whom_a_sign_in_made(door: SignOn, acme: Organization) -> None:
    """A POST of the same userName is that person from then on, and SCIM's word holds."""
    email = f"ada@{door.domain}"
    user_id = user_of(acme, door.sign_in(email))
    assert acme.scim.create_user(email, displayName="Ada of SCIM") == user_id
    door.sign_in(email, attributes={"email": (email,), "displayName": ("Ada of SAML",)})
    assert json_of(acme.scim.get(f"/Users/{user_id}"))["displayName"] == "Ada of SCIM"
    assert acme.scim.post("/Users", {"userName": email}).status_code == 409


# Groups


def test_groups_of_an_assertion_count_where_none_is_pushed(door: SignOn, acme: Organization) -> None:
    email = f"ada@{door.domain}"
    user_id = user_of(acme, door.sign_in(email, **with_groups(email, "Sales", "Staff")))
    assert sorted(groups_of(acme, user_id)) == ["Sales", "Staff"]
    door.sign_in(email, **with_groups(email, "Staff", "Board"))
    assert sorted(groups_of(acme, user_id)) == ["Board", "Staff"]


def test_groups_of_an_assertion_are_ignored_where_some_are_pushed(door: SignOn, acme: Organization) -> None:
    email = f"ada@{door.domain}"
    acme.scim.create_group("Pushed")
    user_id = user_of(acme, door.sign_in(email, **with_groups(email, "Sales")))
    assert groups_of(acme, user_id) == []


def test_the_idp_takes_over_a_group_known_from_sign_ins(door: SignOn, acme: Organization) -> None:
    email = f"ada@{door.domain}"
    user_id = user_of(acme, door.sign_in(email, **with_groups(email, "Sales")))
    group_id = acme.scim.create_group("sales", members=[user_id])
    door.sign_in(email, **with_groups(email, "Staff"))
    assert groups_of(acme, user_id) == ["sales"]
    assert json_of(acme.scim.get(f"/Groups/{group_id}"))["displayName"] == "sales"


def test_unknown_groups_take_no_seat(door: SignOn, acme: Organization) -> None:
    """Too many groups for the assertion: Entra sends a link instead of the list."""
    email = f"ada@{door.domain}"
    user_id = user_of(acme, door.sign_in(email, **with_groups(email, "Sales")))
    group_id = json_of(acme.api.get("/groups"))["data"][0]["id"].removeprefix("group_")
    acme.map_group(group_id)
    assert acme.seat_state(user_id) == "assigned"
    link = {"http://schemas.microsoft.com/claims/groups.link": ("https://graph.example",)}
    for attributes in ({"email": (email,)}, {"email": (email,), **link}):
        shown = json_of(session_of(door.sign_in(email, attributes=attributes)))
        assert shown["seat_state"] == "assigned"
    assert groups_of(acme, user_id) == ["Sales"]


# Seats


def test_a_seat_that_waits_for_a_sign_in_comes_with_it(door: SignOn, acme: Organization) -> None:
    email = f"ada@{door.domain}"
    user_id = acme.scim.create_user(email)
    acme.map_group(acme.scim.create_group(members=[user_id]), seat_on="login")
    assert acme.seat_state(user_id) is None
    assert json_of(session_of(door.sign_in(email)))["seat_state"] == "assigned"


def test_who_has_signed_in_before_waits_for_the_next_sign_in(door: SignOn, acme: Organization) -> None:
    email = f"ada@{door.domain}"
    user_id = acme.scim.create_user(email)
    door.sign_in(email)
    group_id = acme.scim.create_group(members=[user_id])
    acme.map_group(group_id, seat_on="login")
    assert acme.seat_state(user_id) is None
    door.sign_in(email)
    assert acme.seat_state(user_id) == "assigned"


def test_a_seat_from_a_sign_in_stays_until_its_group_goes(door: SignOn, acme: Organization) -> None:
    email = f"ada@{door.domain}"
    user_id = acme.scim.create_user(email)
    group_id = acme.scim.create_group(members=[user_id])
    acme.map_group(group_id, seat_on="login")
    door.sign_in(email)
    acme.map_group(acme.scim.create_group())
    assert acme.seat_state(user_id) == "assigned"
    acme.scim.remove_members(group_id, user_id)
    assert acme.seat_state(user_id) == "released"


def test_a_seat_is_not_kept_without_the_sign_in_that_its_mapping_now_asks_for(
    door: SignOn, acme: Organization
) -> None:
    email = f"ada@{door.domain}"
    user_id = acme.scim.create_user(email)
    group_id = acme.scim.create_group(members=[user_id])
    acme.map_group(group_id)
    (mapping,) = json_of(acme.api.get("/group_mappings"))["data"]
    body = {"data": [{name: mapping[name] for name in ("group_id", "role_id")} | {"seat_on": "login"}]}
    version = json_of(acme.api.get("/group_mappings"))["version"]
    assert acme.api.put("/group_mappings", body, headers={"If-Match": f'"{version}"'}).status_code == 200
    assert acme.seat_state(user_id) == "released"
    door.sign_in(email)
    assert acme.seat_state(user_id) == "assigned"


def test_who_finds_no_seat_is_signed_in_and_sees_their_place(door: SignOn, acme: Organization) -> None:
    acme.api.put("/seat_pool", {"quantity": 0})
    people = [f"{name}@{door.domain}" for name in ("ada", "bob")]
    group_id = acme.scim.create_group(members=[acme.scim.create_user(email) for email in people])
    acme.map_group(group_id, seat_on="login")
    browsers = [door.sign_in(email) for email in people]
    shown = [json_of(session_of(browser)) for browser in browsers]
    assert [(one["seat_state"], one["waiting_place"], one["surfaces"]) for one in shown] == [
        ("waitlisted", 1, []),
        ("waitlisted", 2, []),
    ]
    assert "number 2 in the waiting list" in browsers[1].get("/sso/me").text


def test_who_exists_only_by_signing_in_loses_the_seat_after_a_while(
    door: SignOn, acme: Organization, later: Later
) -> None:
    email, other = f"ada@{door.domain}", f"bob@{door.domain}"
    user_id = user_of(acme, door.sign_in(email, **with_groups(email, "Sales")))
    group_id = json_of(acme.api.get("/groups"))["data"][0]["id"].removeprefix("group_")
    acme.map_group(group_id)
    later(days=29)
    assert acme.seat_state(user_id) == "assigned"
    later(days=2)
    assert acme.seat_state(user_id) == "released"
    door.sign_in(other, **with_groups(other, "Sales"))
    assert acme.seat_state(user_id) == "released"
    assert json_of(session_of(door.sign_in(email, **with_groups(email, "Sales"))))["seat_state"] == "assigned"


def test_the_last_owner_stays_one_without_signing_in(door: SignOn, acme: Organization, later: Later) -> None:
    email = f"ada@{door.domain}"
    user_id = user_of(acme, door.sign_in(email, **with_groups(email, "Owners")))
    acme.map_group(json_of(acme.api.get("/groups"))["data"][0]["id"].removeprefix("group_"), "owner")
    for _ in range(2):
        later(days=31)
        shown = json_of(acme.api.get(f"/users/{edge_id('user', user_id)}"))
        assert (shown["role_id"], shown["seat_state"]) == (acme.role_id("owner"), "assigned")
    (change,) = json_of(acme.api.get("/held_changes"))["data"]
    assert (change["cause"], change["state"], change["people"]) == ("last_owner", "held", 1)
    with in_organization(acme.app, acme.id, write=False) as services:
        assert not services.get(JitSeats).has_lapsed()


def test_whom_the_idp_provisions_keeps_the_seat_without_signing_in(
    door: SignOn, acme: Organization, later: Later
) -> None:
    email = f"ada@{door.domain}"
    user_id = user_of(acme, door.sign_in(email, **with_groups(email, "Sales")))
    assert acme.scim.create_user(email) == user_id
    acme.map_group(acme.scim.create_group("Pushed", members=[user_id]))
    later(days=400)
    assert acme.seat_state(user_id) == "assigned"


def test_the_number_of_days_is_the_organizations(
    door: SignOn, acme: Organization, later: Later, clock: FakeClock
) -> None:
    acme.api.patch("/organization", {"jit_seat_days": 7})
    email = f"ada@{door.domain}"
    user_id = user_of(acme, door.sign_in(email, **with_groups(email, "Sales")))
    acme.map_group(json_of(acme.api.get("/groups"))["data"][0]["id"].removeprefix("group_"))
    later(days=8)
    assert acme.seat_state(user_id) == "released"
