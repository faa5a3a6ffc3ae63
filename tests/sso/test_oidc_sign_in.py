"""From the login URL to a session by OpenID Connect: the same walk as SAML's, and what it shares with it."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.core.errors import ConcurrentUpdateError
from app.sso.sign_in import SignInService
from tests.support.cast import Organization, json_of
from tests.support.fakes import FakeClock, FakeFetch
from tests.support.oidc_idp import CLIENT_SECRET, OidcIdp, answered, ec_key, rsa_key
from tests.support.oidc_sign_on import OidcSignOn, oidc_sign_on, reason
from tests.support.sign_on import session_of, sign_on

Later = Callable[..., None]


@pytest.fixture
def door(acme: Organization) -> OidcSignOn:
    return oidc_sign_on(acme)


def test_a_provisioned_person_signs_in_and_an_app_sees_who_it_is(
    door: OidcSignOn, acme: Organization
) -> None:
    email = f"ada@{door.domain}"
    user_id = acme.scim.create_user(email, emails=[{"value": email}])
    acme.map_group(acme.scim.create_group(members=[user_id]))
    shown = json_of(session_of(door.sign_in()))
    assert shown["user"] == {"id": f"user_{user_id}", "user_name": email, "email": email}
    assert (shown["role"], shown["seat_state"]) == ("member", "assigned")
    (trace,) = door.traces()
    assert (trace["outcome"], trace["step"], trace["email"]) == ("accepted", "session", email)


def test_what_is_asked_of_the_provider_is_a_code_bound_to_this_login(door: OidcSignOn) -> None:
    browser = door.browser()
    first, second = (parse_qs(urlsplit(door.begin(browser)).query) for _ in range(2))
    assert first["scope"] == ["openid profile email groups"]
    assert first["redirect_uri"] == [f"http://127.0.0.1:8000{door.path}/callback"]
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]


def test_a_sign_in_leads_to_where_it_was_asked_from(door: OidcSignOn) -> None:
    browser = door.browser()
    response = door.come_back(browser, door.answer(browser, "?return_to=/console/spend%3Fmonth=7"))
    assert (response.status_code, response.headers["Location"]) == (303, "/console/spend?month=7")


def test_loading_the_last_page_again_is_harmless(door: OidcSignOn) -> None:
    browser = door.browser()
    query = door.answer(browser, "?return_to=/console")
    first, again = door.come_back(browser, query), door.come_back(browser, query)
    assert first.headers["Location"] == again.headers["Location"] == "/console"
    assert session_of(browser).status_code == 200


def test_an_address_of_the_domain_leads_to_the_provider(door: OidcSignOn) -> None:
    response = door.browser().get(f"/sso/login?email=ada@{door.domain}")
    assert response.headers["Location"].startswith(f"{door.idp.issuer}/authorization?")


def test_the_secret_may_go_in_the_form_where_the_provider_wants_it(acme: Organization) -> None:
    def by_post(idp: OidcIdp) -> None:
        idp.secret_method = "client_secret_post"
        idp.publish()

    assert session_of(oidc_sign_on(acme, prepare=by_post).sign_in()).status_code == 200


def test_a_provider_that_signs_with_elliptic_curves_is_believed(acme: Organization) -> None:
    key = ec_key("curve")
    door = oidc_sign_on(acme, prepare=lambda idp: idp.publish(key))
    door.idp.make_token = lambda idp, claims: idp.sign(claims, key, alg="ES256")
    assert session_of(door.sign_in()).status_code == 200


def test_of_a_set_with_one_key_no_name_is_needed(door: OidcSignOn) -> None:
    door.idp.make_token = lambda idp, claims: idp.sign(claims, kid=None)
    assert session_of(door.sign_in()).status_code == 200


def test_an_address_that_only_userinfo_tells_counts(door: OidcSignOn, acme: Organization) -> None:
    told = door.told()
    door.idp.userinfo = {**told, "groups": ["Sales"]}
    session = json_of(session_of(door.sign_in(email=None, email_verified=None)))
    assert session["user"]["email"] == told["email"]
    assert [group["display_name"] for group in json_of(acme.api.get("/groups"))["data"]] == ["Sales"]


# Keys


def test_a_new_key_is_learnt_at_the_first_token_that_names_it(door: OidcSignOn, fetch: FakeFetch) -> None:
    key = rsa_key("new")
    door.idp.publish(key)
    door.idp.make_token = lambda idp, claims: idp.sign(claims, key)
    uri = f"{door.idp.issuer}/keys"
    before = fetch.asked.count(uri)
    door.sign_in()
    door.sign_in()
    assert fetch.asked.count(uri) == before + 1


def test_unknown_keys_do_not_make_us_ask_the_provider_all_day(door: OidcSignOn, fetch: FakeFetch) -> None:
    uri = f"{door.idp.issuer}/keys"
    before = fetch.asked.count(uri)
    for _ in range(6):
        token = door.idp.logout_token(rsa_key("nobody"), sub="sub-ada")
        assert json_of(door.log_out(token))["error_description"] == "token_key_unknown"
    assert fetch.asked.count(uri) == before + 3


def test_what_the_provider_publishes_is_read_again_every_day(
    door: OidcSignOn, acme: Organization, later: Later
) -> None:
    door.idp.publish(rsa_key("new"), end_session_endpoint=f"{door.idp.issuer}/other")
    later(hours=25)
    shown = json_of(acme.api.get(f"/connections/conn_{door.connection_id}"))
    assert shown["slo_url"] == f"{door.idp.issuer}/other"
    door.idp.make_token = lambda idp, claims: idp.sign(claims, rsa_key("new"))
    assert session_of(door.sign_in()).status_code == 200


def test_a_provider_that_changes_its_name_changes_nothing_but_a_warning(
    door: OidcSignOn, acme: Organization, later: Later
) -> None:
    door.idp.publish(issuer="https://other.example")
    later(hours=25)
    shown = json_of(acme.api.get(f"/connections/conn_{door.connection_id}"))
    assert "metadata_refused" in [warning["code"] for warning in shown["warnings"]]
    assert session_of(door.sign_in()).status_code == 200


# People


def test_a_subject_stays_the_same_person_under_a_new_address(door: OidcSignOn) -> None:
    first = json_of(session_of(door.sign_in()))["user"]["id"]
    second = json_of(session_of(door.sign_in(email=f"ada.new@{door.domain}")))["user"]
    assert (second["id"], second["email"]) == (first, f"ada.new@{door.domain}")


def test_another_subject_with_a_known_address_is_not_that_person(door: OidcSignOn) -> None:
    door.sign_in()
    assert door.refusal(sub="sub-eve") == (403, "identity_conflict")


def test_a_subject_that_reads_like_somebodys_name_is_not_that_person(
    door: OidcSignOn, acme: Organization
) -> None:
    boss = acme.scim.create_user(f"boss@{door.domain}")
    shown = json_of(session_of(door.sign_in("eve", sub=f"boss@{door.domain}")))
    assert shown["user"]["id"] != f"user_{boss}"


def test_a_subject_that_provisioning_knows_is_found_under_any_address(
    door: OidcSignOn, acme: Organization
) -> None:
    user_id = acme.scim.create_user("ada.lovelace@elsewhere.example", externalId="00u1")
    assert json_of(session_of(door.sign_in(sub="00u1")))["user"]["id"] == f"user_{user_id}"


def test_without_jit_nobody_new_comes_in(door: OidcSignOn) -> None:
    door.set(jit=False)
    assert door.refusal() == (403, "user_unknown")


def test_nobody_inactive_comes_in(door: OidcSignOn, acme: Organization) -> None:
    acme.scim.set_active(acme.scim.create_user(f"ada@{door.domain}"), False)
    assert door.refusal() == (403, "user_inactive")


def test_in_test_mode_only_testers_get_in(door: OidcSignOn) -> None:
    door.set(mode="test", testers=[f"ada@{door.domain}"])
    assert session_of(door.sign_in()).status_code == 200
    assert door.refusal(**door.told("bob")) == (403, "not_a_tester")


def test_a_connection_that_is_off_lets_nobody_begin_or_end_a_login(door: OidcSignOn) -> None:
    browser = door.browser()
    query = door.answer(browser)
    door.set(mode="off")
    assert reason(door.come_back(browser, query)) == (403, "connection_off")
    assert reason(browser.get(f"{door.path}/login")) == (403, "connection_off")


def test_switching_the_connection_off_ends_its_sessions(door: OidcSignOn, acme: Organization) -> None:
    browser = door.sign_in()
    acme.api.patch(f"/connections/conn_{door.connection_id}", {"mode": "off"})
    assert session_of(browser).status_code == 401


def test_deprovisioning_ends_the_session(door: OidcSignOn, acme: Organization) -> None:
    user_id = acme.scim.create_user(f"ada@{door.domain}")
    browser = door.sign_in()
    acme.scim.set_active(user_id, False)
    assert session_of(browser).status_code == 401


# Groups


def groups_of(organization: Organization) -> dict[str, int]:
    listed = json_of(organization.api.get("/groups?limit=1000"))["data"]
    return {group["display_name"]: group["member_count"] for group in listed}


def test_groups_of_the_token_give_seats(door: OidcSignOn, acme: Organization) -> None:
    door.sign_in(groups=["Sales", "Sales", "Tools"])
    assert groups_of(acme) == {"Sales": 1, "Tools": 1}
    door.sign_in(groups="Tools")
    assert groups_of(acme) == {"Sales": 0, "Tools": 1}
    door.sign_in(groups=[])
    assert groups_of(acme) == {"Sales": 0, "Tools": 0}


@pytest.mark.parametrize(
    "unknown",
    [
        {},
        {"groups": None},
        {
            "_claim_names": {"groups": "src1"},
            "_claim_sources": {"src1": {"endpoint": "https://graph.example"}},
        },
        {"hasgroups": True},
        {"groups": ["Other"], "hasgroups": True},
    ],
)
def test_unknown_groups_change_no_seat(door: OidcSignOn, acme: Organization, unknown: dict[str, Any]) -> None:
    door.sign_in(groups=["Sales"])
    door.sign_in(**unknown)
    assert groups_of(acme) == {"Sales": 1}
    assert door.traces()[0]["received"] == "groups unknown"


def test_groups_may_come_under_another_name(acme: Organization) -> None:
    door = oidc_sign_on(acme, attributes={"groups": "roles"})
    door.sign_in(roles=["Sales"])
    assert groups_of(acme) == {"Sales": 1}


# Entra

TENANT = "9b7b7bd0-0000-4000-8000-00000000000a"


@pytest.fixture
def entra(acme: Organization) -> OidcSignOn:
    return oidc_sign_on(acme, issuer=f"https://login.microsoftonline.com/{TENANT}/v2.0")


def entra_told(**changes: Any) -> dict[str, Any]:
    return {"tid": TENANT, "oid": "object-1", "xms_edov": True, "email_verified": None, **changes}


@pytest.mark.parametrize("verified", [True, 1, "1", "true"])
def test_entra_says_by_its_own_claim_that_a_domain_is_verified(entra: OidcSignOn, verified: Any) -> None:
    assert session_of(entra.sign_in(**entra_told(xms_edov=verified))).status_code == 200


def test_people_of_entra_are_known_by_tenant_and_object(entra: OidcSignOn, acme: Organization) -> None:
    user_id = acme.scim.create_user("someone@elsewhere.example", externalId="object-1")
    first = entra.sign_in(**entra_told(sub="pairwise-1"))
    second = entra.sign_in(**entra_told(sub="pairwise-2"))
    for browser in (first, second):
        assert json_of(session_of(browser))["user"]["id"] == f"user_{user_id}"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tid": "9b7b7bd0-0000-4000-8000-00000000000b"}, "token_tenant_mismatch"),
        ({"tid": None}, "token_tenant_mismatch"),
        ({"oid": None}, "token_tenant_mismatch"),
        ({"xms_edov": None}, "email_unverified"),
        ({"xms_edov": False}, "email_unverified"),
        ({"xms_edov": "0"}, "email_unverified"),
    ],
)
def test_what_entra_leaves_open_is_refused(entra: OidcSignOn, changes: dict[str, Any], expected: str) -> None:
    assert entra.refusal(**entra_told(**changes)) == (403, expected)


def test_no_other_provider_verifies_by_entras_claim(door: OidcSignOn) -> None:
    assert door.refusal(email_verified=None, xms_edov=True) == (403, "email_unverified")


# What is kept and shown


def test_a_trace_shows_the_token_without_names_and_secrets(door: OidcSignOn) -> None:
    door.refusal(email_verified=False, groups=["Payroll"], given_name="Ada")
    (trace,) = door.traces()
    assert (trace["step"], trace["reason"], trace["help_url"].rpartition("#")[2]) == (
        "domain",
        "email_unverified",
        "email_unverified",
    )
    assert f"a***@{door.domain}" in trace["claims"]
    for hidden in ("Ada", "Payroll", "ada@", "sub-ada"):
        assert hidden not in trace["claims"]
    assert door.idp.issuer in trace["claims"]


def test_no_secret_is_stored_or_shown_in_the_clear(door: OidcSignOn, acme: Organization) -> None:
    from app.sso.connections import ConnectionService
    from tests.support.cast import in_organization

    path = f"/connections/conn_{door.connection_id}"
    assert CLIENT_SECRET not in acme.api.get(path).text
    with in_organization(acme.app, acme.id, write=False) as services:
        assert CLIENT_SECRET not in str(services.get(ConnectionService).row(door.connection_id))
    assert CLIENT_SECRET not in acme.api.get("/audit/events?limit=1000").text


def test_the_doors_of_one_protocol_are_not_those_of_the_other(door: OidcSignOn, acme: Organization) -> None:
    saml = sign_on(acme)
    browser = door.browser()
    as_saml = door.path.replace("/oidc/", "/saml/")
    for end in ("login", "metadata", "acs", "slo"):
        assert browser.get(f"{as_saml}/{end}").status_code == 404
    assert browser.get(f"{saml.path.replace('/saml/', '/oidc/')}/login").status_code == 404
    assert browser.post(f"{saml.path.replace('/saml/', '/oidc/')}/backchannel-logout").status_code == 404


def test_a_token_endpoint_that_is_down_is_a_reason_and_no_fault(door: OidcSignOn) -> None:
    door.idp.make_answer = lambda *_: answered(503, {})
    assert door.refusal() == (403, "token_request_failed")


def test_a_sign_in_that_loses_a_race_is_repeated_with_the_tokens_that_it_has(
    door: OidcSignOn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider gives a code once, and the database may ask for the same again."""
    accept = SignInService.accept
    lost: list[Any] = []

    def lose_once(*arguments: Any) -> Any:
        outcome = accept(*arguments)
        if not lost:
            lost.append(outcome)
            raise ConcurrentUpdateError("Somebody was faster.")
        return outcome

    monkeypatch.setattr(SignInService, "accept", lose_once)
    assert session_of(door.sign_in()).status_code == 200
    assert len(lost) == 1


def test_an_old_login_is_over(door: OidcSignOn, clock: FakeClock) -> None:
    browser = door.browser()
    query = door.answer(browser)
    clock.advance(minutes=11)
    assert reason(door.come_back(browser, query)) == (403, "request_expired")
