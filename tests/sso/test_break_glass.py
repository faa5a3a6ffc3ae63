"""Codes that let an owner in while the identity provider is down, once, and only under enforcement."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from werkzeug.test import TestResponse

from app.core.tenancy import ORG_ID, lookups
from app.core.tokens import hash_token
from app.sso.break_glass import LOOKUP
from app.sso.models import break_glass_codes
from tests.sso.test_enforcement import make_ready, owner, set_mode
from tests.support.cast import Organization, in_organization, json_of
from tests.support.fakes import FakeClock

ORIGIN = {"Sec-Fetch-Site": "same-origin"}


def issue(organization: Organization, user_id: str) -> list[str]:
    response = organization.api.post("/break_glass_codes", {"user_id": f"user_{user_id}"})
    assert response.status_code == 201, response.text
    codes: list[str] = json_of(response)["codes"]
    return codes


def redeem(organization: Organization, code: str, **options: Any) -> TestResponse:
    options.setdefault("headers", ORIGIN)
    return organization.app.test_client().post("/sso/break-glass", data={"code": code}, **options)


def enforced(organization: Organization, name: str, clock: FakeClock) -> tuple[str, list[str]]:
    """An organization whose sign-on is in force; answers an owner with codes."""
    made = make_ready(organization, name)
    user_id = owner(organization)
    issue(organization, owner(organization))
    codes = issue(organization, user_id)
    response = set_mode(organization, made, "enforced")
    assert response.status_code == 200, response.text
    clock.advance(days=8)
    return user_id, codes


def test_codes_of_two_owners_satisfy_the_gate_and_let_one_in(
    acme: Organization, name: str, clock: FakeClock
) -> None:
    user_id, codes = enforced(acme, name, clock)
    response = redeem(acme, codes[0])
    assert response.status_code == 303
    assert "usher_session" in response.headers["Set-Cookie"]
    assert "break_glass.used" in acme.audit_actions(user_id)
    (session,) = json_of(acme.api.get(f"/sessions?user_id=user_{user_id}"))["data"]
    assert session["kind"] == "break_glass"


def test_a_code_is_good_once(acme: Organization, name: str, clock: FakeClock) -> None:
    _, codes = enforced(acme, name, clock)
    assert [redeem(acme, codes[0]).status_code for _ in range(2)] == [303, 403]
    assert redeem(acme, codes[1]).status_code == 303


def test_codes_do_nothing_while_sign_on_is_not_enforced(acme: Organization, name: str) -> None:
    make_ready(acme, name)
    assert redeem(acme, issue(acme, owner(acme))[0]).status_code == 403


def test_fresh_codes_make_the_older_ones_void(acme: Organization, name: str, clock: FakeClock) -> None:
    user_id, codes = enforced(acme, name, clock)
    fresh = issue(acme, user_id)
    assert [redeem(acme, code).status_code for code in (codes[0], fresh[0])] == [403, 303]


def test_codes_of_an_owner_who_left_do_nothing(acme: Organization, name: str, clock: FakeClock) -> None:
    user_id, codes = enforced(acme, name, clock)
    acme.scim.set_active(user_id, False)
    assert redeem(acme, codes[0]).status_code == 403


def test_nobody_but_an_owner_gets_codes(acme: Organization, globex: Organization) -> None:
    plain = acme.api.post("/break_glass_codes", {"user_id": f"user_{acme.scim.create_user()}"})
    assert (plain.status_code, json_of(plain)["code"]) == (409, "not_an_owner")
    foreign = acme.api.post("/break_glass_codes", {"user_id": f"user_{owner(globex)}"})
    assert foreign.status_code == 404


def test_a_made_up_code_is_refused_without_a_reason(acme: Organization) -> None:
    for code in ("", "guess", "usher_breakglass_" + "0" * 39, "\x00"):
        assert redeem(acme, code).status_code == 403


def test_a_code_posted_from_another_site_is_refused(acme: Organization, name: str, clock: FakeClock) -> None:
    _, codes = enforced(acme, name, clock)
    foreign = redeem(acme, codes[0], headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert redeem(acme, codes[0]).status_code == 303


def test_the_list_says_who_has_codes_and_never_which(acme: Organization) -> None:
    user_id = owner(acme)
    codes = issue(acme, user_id)
    response = acme.api.get("/break_glass_codes")
    assert [(row["user_id"], row["unused"]) for row in json_of(response)["data"]] == [(f"user_{user_id}", 5)]
    assert codes[0] not in response.text


def test_a_session_by_code_lasts_an_hour_and_uses_no_seat(
    acme: Organization, name: str, clock: FakeClock
) -> None:
    _, codes = enforced(acme, name, clock)
    browser = acme.app.test_client()
    browser.post("/sso/break-glass", data={"code": codes[0]}, headers=ORIGIN)
    shown = json_of(browser.get("/sso/session"))
    assert (shown["seat_state"], shown["surfaces"]) == ("assigned", [])
    clock.advance(minutes=59)
    assert browser.get("/sso/session").status_code == 200
    clock.advance(minutes=2)
    assert browser.get("/sso/session").status_code == 401


def test_what_only_a_session_could_know_is_no_way_in_without_one(
    acme: Organization, name: str, clock: FakeClock
) -> None:
    """The token of no session would be the same for everybody."""
    _, codes = enforced(acme, name, clock)
    token = hmac.new(b"", b"csrf", hashlib.sha256).hexdigest()
    foreign = {"data": {"code": codes[0], "csrf_token": token}, "headers": {"Sec-Fetch-Site": "cross-site"}}
    assert acme.app.test_client().post("/sso/break-glass", **foreign).status_code == 403
    assert redeem(acme, codes[0]).status_code == 303


def test_a_used_code_is_forgotten(
    acme: Organization, name: str, clock: FakeClock, later: Callable[..., None]
) -> None:
    user_id, codes = enforced(acme, name, clock)
    redeem(acme, codes[0])
    later(minutes=1)
    with in_organization(acme.app, acme.id, write=False) as services:
        mine = (break_glass_codes.c.org_id == ORG_ID, break_glass_codes.c.user_id == user_id)
        left = services.uow.execute(select(break_glass_codes.c.used_at).where(*mine)).scalars()
        found = (lookups.c.kind == LOOKUP, lookups.c.key_hash == hash_token(codes[0]))
        look_up = services.uow.execute_unscoped(select(lookups.c.object_id).where(*found)).first()
    assert (list(left), look_up) == ([None] * 4, None)
    assert redeem(acme, codes[0]).status_code == 403
