"""Each attempt to sign in leaves a trace that names its cause, to be found by address or reference."""

from collections.abc import Callable
from typing import Any

import pytest
from xmlsec import constants

from app.sso.disclosure import Disclosure, UnprovedTraces
from tests.support.cast import Organization, json_of
from tests.support.fakes import FakeClock
from tests.support.saml_idp import TRANSIENT, SignOptions, encode, encrypt, key_pair
from tests.support.sign_on import SignOn, sign_on

Message = Callable[[SignOn, str], str]


@pytest.fixture
def door(acme: Organization) -> SignOn:
    return sign_on(acme)


def traces_of(door: SignOn, query: str = "") -> list[dict[str, Any]]:
    path = f"/connections/conn_{door.connection_id}/traces?limit=100{query}"
    found: list[dict[str, Any]] = json_of(door.organization.api.get(path))["data"]
    return found


def answer(**changes: Any) -> Message:
    """An answer that differs from a sound one; `domain` in texts stands for the verified domain."""

    def make(door: SignOn, request_id: str) -> str:
        def fill(value: Any) -> Any:
            if isinstance(value, str):
                return value.replace("DOMAIN", door.domain)
            if isinstance(value, dict):
                return {key: tuple(fill(item) for item in items) for key, items in value.items()}
            return value

        return door.message(
            f"ada@{door.domain}", request_id, **{name: fill(value) for name, value in changes.items()}
        )

    return make


def signed(**options: Any) -> Message:
    def make(door: SignOn, request_id: str) -> str:
        scene = door.scene(request_id)
        email = f"ada@{door.domain}"
        told = scene.answer(name_id=email, attributes={"email": (email,)})
        return encode(scene.signed(told, **options))

    return make


def encrypted_for_somebody_else(door: SignOn, request_id: str) -> str:
    scene = door.scene(request_id)
    return encode(encrypt(scene.signed(), key_pair("somebody else")))


DENIED = "urn:oasis:names:tc:SAML:2.0:status:Responder"
# What an administrator got wrong: the answer that comes of it, the reason, and what the trace shows.
MISCONFIGURED: dict[str, tuple[Message, str, str, str]] = {
    "the entity id typed wrong": (
        answer(audiences=(("https://usher.example/wrong",),)),
        "audience_mismatch",
        "/metadata",
        "https://usher.example/wrong",
    ),
    "an ACS URL of an old host as recipient": (
        answer(recipient="https://old.example/acs"),
        "recipient_mismatch",
        "/acs",
        "https://old.example/acs",
    ),
    "an ACS URL of an old host as destination": (
        answer(destination="https://old.example/acs"),
        "destination_mismatch",
        "/acs",
        "https://old.example/acs",
    ),
    "metadata of another application": (
        answer(issuer="https://idp.example/other"),
        "issuer_mismatch",
        "https://idp.example/metadata",
        "https://idp.example/other",
    ),
    "a rotated certificate": (signed(key=key_pair("rotated")), "certificate_unknown", "", ""),
    "a clock that is ahead": (answer(not_before=400), "not_yet_valid", "", ""),
    "a clock that is behind": (answer(not_on_or_after=-400, not_before=-900), "expired", "", ""),
    "the UPN instead of the mail address": (
        answer(attributes={"email": ("ada@acme.onmicrosoft.com",)}),
        "domain_not_verified",
        "verified",
        "acme.onmicrosoft.com",
    ),
    "no address at all": (
        answer(name_id="00u1", name_id_format=None, attributes={"department": ("IT",)}),
        "email_missing",
        "e-mail",
        "department",
    ),
    "the user name as address": (
        answer(attributes={"email": ("ada",)}),
        "email_malformed",
        "e-mail",
        "ada",
    ),
    "SHA-1": (
        signed(options=SignOptions(method=constants.TransformRsaSha1)),
        "signature_algorithm",
        "",
        "sha1",
    ),
    "nothing signed": (signed(assertion=False), "signature_missing", "", ""),
    "the person not assigned to the application": (
        answer(status=DENIED),
        "status_not_success",
        "",
        "Responder",
    ),
    "a transient name": (
        answer(name_id="_x1", name_id_format=TRANSIENT),
        "name_id_transient",
        "",
        "",
    ),
    "two addresses in one attribute": (
        answer(attributes={"email": ("ada@DOMAIN", "a@DOMAIN")}),
        "attribute_ambiguous",
        "",
        "",
    ),
    "encrypted for another service": (encrypted_for_somebody_else, "decryption_failed", "", ""),
    "an assertion good for a week": (answer(not_on_or_after=604_800), "validity_too_long", "", ""),
    "no audience": (answer(audiences=()), "audience_missing", "", ""),
}


@pytest.mark.parametrize("case", MISCONFIGURED.values(), ids=MISCONFIGURED.keys())
def test_each_misconfiguration_names_its_cause(door: SignOn, case: tuple[Message, str, str, str]) -> None:
    make, reason, expected, received = case
    browser = door.browser()
    request_id, relay_state = door.begin(browser)
    response = door.post(browser, make(door, request_id), relay_state)
    assert (response.status_code, response.headers["X-Usher-Reason"]) == (403, reason)
    (trace,) = traces_of(door)
    assert (trace["outcome"], trace["reason"]) == ("refused", reason)
    assert trace["hint"]
    assert expected in (trace["expected"] or "")
    assert received in (trace["received"] or "")
    assert trace["reference"] in response.text


STATES: dict[str, tuple[Callable[[SignOn, Organization], object], str]] = {
    "nobody provisioned and no jit": (lambda door, _: door.set(jit=False), "user_unknown"),
    "an inactive person": (
        lambda door, acme: acme.scim.create_user(f"ada@{door.domain}", active=False),
        "user_inactive",
    ),
    "test mode without the tester": (lambda door, _: door.set(mode="test"), "not_a_tester"),
    "a connection that is off": (lambda door, _: door.set(mode="off"), "connection_off"),
}


@pytest.mark.parametrize("case", STATES.values(), ids=STATES.keys())
def test_each_state_that_refuses_names_itself(
    door: SignOn, acme: Organization, case: tuple[Callable[[SignOn, Organization], object], str]
) -> None:
    prepare, reason = case
    browser = door.browser()
    request_id, relay_state = door.begin(browser)
    prepare(door, acme)
    response = door.post(browser, door.message(f"ada@{door.domain}", request_id), relay_state)
    assert response.headers["X-Usher-Reason"] == reason
    (trace,) = traces_of(door)
    assert (trace["reason"], bool(trace["hint"])) == (reason, True)


def test_an_accepted_sign_in_has_a_trace_with_its_person_and_session(
    door: SignOn, acme: Organization
) -> None:
    door.sign_in(f"Ada@{door.domain}")
    (trace,) = traces_of(door)
    assert (trace["outcome"], trace["step"], trace["reason"]) == ("accepted", "session", None)
    assert trace["email"] == f"ada@{door.domain}"
    (session,) = json_of(acme.api.get(f"/sessions?user_id={trace['user_id']}"))["data"]
    assert session["id"] == trace["session_id"]
    assert "unknown" in trace["received"]


def test_traces_are_found_by_address_reference_reason_and_outcome(door: SignOn) -> None:
    door.sign_in(f"ada@{door.domain}")
    door.sign_in(f"bob@{door.domain}")
    door.refusal("eve@nobody.example")
    (eve,) = traces_of(door, "&email=EVE@nobody.example")
    assert traces_of(door, f"&reference={eve['reference']}") == [eve]
    assert traces_of(door, "&outcome=refused") == traces_of(door, "&reason=domain_not_verified") == [eve]
    assert len(traces_of(door)) == 3


def test_the_message_in_a_trace_names_nobody_and_proves_nothing(door: SignOn) -> None:
    door.refusal("eve.adams@nobody.example", attributes={"email": ("eve.adams@nobody.example",)})
    (trace,) = traces_of(door)
    assert "e***@nobody.example" in trace["xml"]
    assert "eve.adams" not in trace["xml"]
    assert "<ds:SignatureValue>***</ds:SignatureValue>" in trace["xml"]
    assert f"{door.path}/acs" in trace["xml"]


def test_pages_of_traces_go_on_where_the_last_one_ended(door: SignOn, acme: Organization) -> None:
    for name in ("a", "b", "c"):
        door.refusal(f"{name}@nobody.example")
    path = f"/connections/conn_{door.connection_id}/traces"
    first = json_of(acme.api.get(f"{path}?limit=2"))
    second = json_of(acme.api.get(f"{path}?limit=2&cursor={first['next_cursor']}"))
    shown = [trace["email"][0] for trace in (*first["data"], *second["data"])]
    assert (shown, second["has_more"]) == (["c", "b", "a"], False)


def test_no_organization_reads_traces_of_another(door: SignOn, globex: Organization) -> None:
    door.refusal("eve@nobody.example")
    assert globex.api.get(f"/connections/conn_{door.connection_id}/traces").status_code == 404


def test_a_refused_answer_is_spent(door: SignOn, acme: Organization) -> None:
    """Otherwise it would sign in later, when what it was refused for is mended."""
    door.set(jit=False)
    browser = door.browser()
    request_id, relay_state = door.begin(browser)
    message = door.message(f"ada@{door.domain}", request_id)
    assert door.post(browser, message, relay_state).headers["X-Usher-Reason"] == "user_unknown"
    acme.scim.create_user(f"ada@{door.domain}")
    assert door.post(browser, message, relay_state).headers["X-Usher-Reason"] == "request_consumed"


def test_rubbish_spends_nobodys_login(door: SignOn) -> None:
    """Whoever guesses a request's ID cannot end the login with a message of their own."""
    browser = door.browser()
    request_id, relay_state = door.begin(browser)
    forged = signed(key=key_pair("rotated"))(door, request_id)
    assert door.post(browser, forged, relay_state).status_code == 403
    assert door.post(browser, door.message(f"ada@{door.domain}", request_id), relay_state).status_code == 303


def test_rubbish_does_not_fill_the_traces(door: SignOn, monkeypatch: pytest.MonkeyPatch) -> None:
    few = UnprovedTraces(per_second=0.1, burst=3, ticks=lambda: 0.0)
    monkeypatch.setattr(door.organization.container, "unproved_traces", few)
    for _ in range(5):
        assert door.post(door.browser(), "!!!").status_code == 400
    # What the identity provider has signed is always traced.
    door.refusal("eve@nobody.example")
    reasons = [trace["reason"] for trace in traces_of(door)]
    assert reasons == ["domain_not_verified", *["not_base64"] * 3]


def test_an_owner_learns_how_often_others_tried_their_domain(
    acme: Organization, globex: Organization
) -> None:
    ours, theirs = sign_on(acme), sign_on(globex)
    assert theirs.refusal(f"ceo@{ours.domain}") == (403, "domain_captured_elsewhere")
    shown = json_of(acme.api.get("/domains"))["data"]
    assert [domain["refused_elsewhere"] for domain in shown] == [1]


def test_in_production_only_a_connection_in_test_mode_says_its_reasons(
    door: SignOn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disclosure, "__init__", lambda self, **_: setattr(self, "_is_development", False))
    assert door.refusal("eve@nobody.example") == (403, "")
    door.set(mode="test")
    assert door.refusal(f"eve@{door.domain}") == (403, "not_a_tester")


def test_traces_stay_thirty_days(door: SignOn, later: Callable[..., None], clock: FakeClock) -> None:
    door.refusal("eve@nobody.example")
    later(days=29)
    assert len(traces_of(door)) == 1
    later(days=2)
    assert traces_of(door) == []
