"""`/authorizations`: who may spend what, and what becomes of the money that is held."""

from datetime import timedelta
from typing import Any

import pytest

from app.core.clock import rfc3339
from app.core.ids import edge_id
from tests.support.cast import Organization, json_of
from tests.support.fakes import FakeClock
from tests.support.till import HELD, Till


def test_a_call_that_fits_is_allowed_and_its_money_held(till: Till) -> None:
    ada, _ = till.hire({"monthly": "10"})
    made = till.allowed(ada, repository="acme/web", feature="review", session_id="s1")
    assert (made["type"], made["decision"], made["state"]) == ("authorization", "allow", "open")
    assert (made["reserved_usd"], made["max_overrun_usd"], made["settled_usd"]) == (HELD, "0", None)
    assert made["expires_at"] > made["authorized_at"]
    (limit,) = made["limits"]
    assert {name: limit[name] for name in limit if name != "resets_at"} == {
        "scope": {"type": "user", "id": edge_id("user", ada)},
        "pool": False,
        "window": "monthly",
        "mode": "hard",
        "source": "role",
        "amount_usd": "10",
        "settled_usd": "0",
        "reserved_usd": HELD,
        "remaining_usd": "9.979",
        "exceeded": False,
    }
    shown = json_of(till.gateway.get(f"/authorizations/{made['id']}"))
    assert shown == {name: made[name] for name in shown}
    assert till.effective(ada)[0]["reserved_usd"] == HELD
    assert till.differences() == []


def test_settling_books_the_cost_and_frees_the_rest(till: Till) -> None:
    ada, _ = till.hire({"monthly": "10"})
    made = till.allowed(ada)
    usage = {"input_tokens": 1_000, "output_tokens": 200, "cache_read_input_tokens": 10_000}
    settled = json_of(till.settle(made, usage=usage))
    assert (settled["state"], settled["settled_usd"]) == ("settled", "0.009")
    (row,) = till.effective(ada)
    assert (row["settled_usd"], row["reserved_usd"], row["remaining_usd"]) == ("0.009", "0", "9.991")
    assert till.differences() == []


def test_a_cost_can_be_reported_as_it_is(till: Till) -> None:
    ada, _ = till.hire()
    made = till.allowed(ada, max_cost_usd="1.5")
    assert made["reserved_usd"] == "1.5"
    assert json_of(till.settle(made, cost_usd="1.234567891"))["settled_usd"] == "1.234567891"


def test_voiding_frees_everything(till: Till) -> None:
    ada, _ = till.hire({"monthly": "10"})
    assert json_of(till.void(till.allowed(ada)))["state"] == "voided"
    assert till.effective(ada)[0]["remaining_usd"] == "10"
    assert till.differences() == []


def test_the_same_end_again_answers_the_same_and_another_is_refused(till: Till) -> None:
    ada, _ = till.hire()
    settled, voided = till.allowed(ada), till.allowed(ada)
    first = json_of(till.settle(settled, cost_usd="0.01"))
    assert json_of(till.settle(settled, cost_usd="0.01")) == first
    till.void(voided)
    assert till.void(voided).status_code == 200
    for response in (
        till.settle(settled, cost_usd="0.02"),
        till.void(settled),
        till.settle(voided, cost_usd="0.01"),
    ):
        assert (response.status_code, json_of(response)["code"]) == (409, "authorization_ended")
    assert till.differences() == []


def test_a_person_may_be_named_by_user_name_in_any_case(till: Till) -> None:
    ada, _ = till.hire()
    name = json_of(till.organization.scim.get(f"/Users/{ada}"))["userName"]
    assert till.allowed(ada, user={"user_name": name.upper()})["user_id"] == edge_id("user", ada)


def test_a_hard_limit_refuses_and_names_itself(till: Till) -> None:
    ada, _ = till.hire({"daily": "5", "monthly": "0.03"})
    till.allowed(ada)
    refusal = till.refused(402, "spend_limit_reached", ada)
    assert refusal["scope"] == {"type": "user", "id": edge_id("user", ada)}
    assert (refusal["window"], refusal["amount_usd"], refusal["remaining_usd"]) == (
        "monthly",
        "0.03",
        "0.009",
    )
    assert refusal["resets_at"].endswith("Z")
    # 0.009 less 0.006 for the input leaves 0.003: 200 tokens.
    assert refusal["affordable_output_tokens"] == 200
    smaller = {"input_tokens": 1_000, "output_tokens": 200}
    till.allowed(ada, estimate=smaller)
    assert till.effective(ada)[1]["remaining_usd"] == "0"
    assert till.differences() == []


def test_a_refusal_holds_nothing_anywhere(till: Till) -> None:
    ada, _ = till.hire({"monthly": "10"})
    till.limit_everybody("0.01")
    refusal = till.refused(402, "spend_limit_reached", ada)
    assert refusal["scope"]["type"] == "organization"
    assert [row["reserved_usd"] for row in till.effective(ada)] == ["0", "0"]


def test_a_soft_limit_lets_through_and_says_so(till: Till) -> None:
    ada, _ = till.hire()
    till.limit("user", ada, "0.01", mode="soft")
    (limit,) = till.allowed(ada)["limits"]
    assert (limit["exceeded"], limit["remaining_usd"]) == (True, "0")


def test_a_pool_is_shared_and_binds_besides_the_personal_cap(till: Till) -> None:
    ada, group_id = till.hire({"monthly": "10"})
    bob = till.organization.scim.create_user()
    till.organization.scim.add_members(group_id, bob)
    till.limit("group", group_id, "0.03", pool=True)
    made = till.allowed(ada)
    assert [(limit["pool"], limit["source"]) for limit in made["limits"]] == [
        (False, "role"),
        (True, "group"),
    ]
    refusal = till.refused(402, "spend_limit_reached", bob)
    assert refusal["scope"] == {"type": "group", "id": edge_id("group", group_id)}
    till.settle(made, cost_usd="0.001")
    till.allowed(bob)
    assert till.differences() == []


def test_a_limit_set_in_the_middle_of_a_window_knows_what_was_spent_before(till: Till) -> None:
    ada, _ = till.hire()
    till.settle(till.allowed(ada), cost_usd="0.02")
    till.limit("user", ada, "0.04")
    till.limit_everybody("0.04")
    assert [row["settled_usd"] for row in till.effective(ada)] == ["0.02", "0.02"]
    till.refused(402, "spend_limit_reached", ada)


def test_a_raised_limit_allows_and_a_lowered_one_refuses_the_next_call(till: Till) -> None:
    ada, _ = till.hire({"monthly": "0.01"})
    till.refused(402, "spend_limit_reached", ada)
    till.limit("user", ada, "0.05")
    till.allowed(ada)
    till.limit("user", ada, "0.03")
    till.refused(402, "spend_limit_reached", ada)


def test_what_a_role_does_not_include_is_refused(till: Till) -> None:
    ada, _ = till.hire(models=["claude-haiku-4-5"])
    till.refused(403, "surface_not_allowed", ada, surface="cowork")
    till.refused(403, "model_not_allowed", ada)
    till.allowed(ada, model="claude-haiku-4-5-20251001")


def test_a_price_to_come_of_a_snapshot_hides_none_that_holds(till: Till, clock: FakeClock) -> None:
    ada, _ = till.hire()
    rates = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
    price = {
        "model": "claude-haiku-4-5-20251001",
        "starts_at": rfc3339(clock.now() + timedelta(days=1)),
        **{f"{rate}_per_million_usd": "1000" for rate in rates},
    }
    assert till.organization.api.post("/prices", price).status_code == 201
    now = till.allowed(ada, model="claude-haiku-4-5-20251001")
    clock.advance(days=2)
    later = till.allowed(ada, model="claude-haiku-4-5-20251001")
    assert float(later["reserved_usd"]) > 10 * float(now["reserved_usd"])


def test_without_a_seat_or_access_nothing_can_be_spent(till: Till) -> None:
    nobody = till.organization.scim.create_user()
    till.refused(403, "no_seat", nobody)
    ada, group_id = till.hire()
    till.organization.scim.remove_members(group_id, ada)
    till.refused(403, "no_seat", ada)
    till.organization.scim.set_active(ada, False)
    till.refused(403, "user_inactive", ada)
    till.organization.scim.delete(f"/Users/{ada}")
    till.refused(404, "unknown_user", ada)
    till.refused(404, "unknown_user", ada, user={"user_name": "nobody@example.com"})


def test_another_organizations_people_and_authorizations_are_not_there(
    till: Till, globex: Organization
) -> None:
    stranger, _ = Till(globex).hire()
    till.refused(404, "unknown_user", stranger)
    made = Till(globex).allowed(stranger)
    for response in (till.settle(made, cost_usd="1"), till.void(made)):
        assert (response.status_code, json_of(response)["code"]) == (404, "authorization_not_found")


def test_an_unknown_model_is_refused_unless_another_stands_in(till: Till) -> None:
    ada, _ = till.hire()
    till.refused(422, "unknown_price", ada, model="gpt-9")
    assert till.api.patch("/organization", {"fallback_model": "claude-haiku-4-5"}).status_code == 200
    made = till.allowed(ada, model="gpt-9")
    assert (made["model"], made["priced_as"], made["reserved_usd"]) == ("gpt-9", "claude-haiku-4-5", "0.007")
    assert json_of(till.settle(made, usage={"input_tokens": 1_000}))["settled_usd"] == "0.001"


def test_a_batch_is_held_and_booked_at_half_the_price(till: Till) -> None:
    ada, _ = till.hire()
    made = till.allowed(ada, batch=True)
    assert made["reserved_usd"] == "0.0105"
    assert json_of(till.settle(made, usage={"input_tokens": 1_000}))["settled_usd"] == "0.0015"


def test_an_overrun_is_booked_as_it_is_and_told(till: Till) -> None:
    ada, _ = till.hire({"monthly": "0.03"})
    assert json_of(till.settle(till.allowed(ada), cost_usd="0.05"))["settled_usd"] == "0.05"
    assert till.effective(ada)[0]["settled_usd"] == "0.05"
    assert "reservation.overrun" in till.organization.audit_actions(ada)
    till.refused(402, "spend_limit_reached", ada)
    assert till.differences() == []


def test_a_session_that_is_known_is_held_its_usual_cost_while_there_is_plenty(till: Till) -> None:
    ada, _ = till.hire({"monthly": "100"})
    for _ in range(5):
        till.settle(till.allowed(ada, session_id="s1"), cost_usd="0.004")
    made = till.allowed(ada, session_id="s1")
    assert (made["reserved_usd"], made["max_overrun_usd"]) == ("0.004", "0.017")
    till.limit("user", ada, "0.1")
    near = till.allowed(ada, session_id="s1")
    assert (near["reserved_usd"], near["max_overrun_usd"]) == (HELD, "0")


def test_an_idempotency_key_holds_money_once(till: Till) -> None:
    ada, _ = till.hire({"monthly": "10"})
    headers = {"Idempotency-Key": "call-1"}
    first, again = (till.allowed(ada, headers=dict(headers)) for _ in range(2))
    assert again == first
    assert till.effective(ada)[0]["reserved_usd"] == HELD
    other = till.ask(ada, headers=headers, surface="chat")
    assert (other.status_code, json_of(other)["code"]) == (409, "idempotency_mismatch")


@pytest.mark.parametrize(("dispatched", "settled"), [(True, HELD), (False, "0")])
def test_what_nobody_ends_expires_booked_if_sent_and_freed_if_not(
    till: Till, clock: FakeClock, dispatched: bool, settled: str
) -> None:
    ada, _ = till.hire({"monthly": "10"})
    made = till.allowed(ada, dispatched=dispatched)
    clock.advance(minutes=16)
    while till.organization.work():
        pass
    assert json_of(till.gateway.get(f"/authorizations/{made['id']}"))["state"] == "expired"
    (row,) = till.effective(ada)
    assert (row["settled_usd"], row["reserved_usd"]) == (settled, "0")
    assert "reservation.expired" in till.organization.audit_actions(ada)
    assert till.settle(made, cost_usd="0.01").status_code == 409
    assert till.differences() == []


def test_a_long_call_is_extended_and_then_counts_as_sent(till: Till, clock: FakeClock) -> None:
    ada, _ = till.hire()
    made = till.allowed(ada, dispatched=False)
    clock.advance(minutes=10)
    extended = json_of(till.gateway.post(f"/authorizations/{made['id']}/extend"))
    assert extended["dispatched"] is True
    assert extended["expires_at"] > made["expires_at"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"surface": "fax"}, "surface"),
        ({"model": ""}, "model"),
        ({"estimate": {"input_tokens": -1, "output_tokens": 1}}, "estimate.input_tokens"),
        ({"estimate": {"input_tokens": 1.5, "output_tokens": 1}}, "estimate.input_tokens"),
        ({"estimate": {"input_tokens": 1}}, "estimate.output_tokens"),
        ({"estimate": {"input_tokens": 1, "output_tokens": 10**9}}, "estimate.output_tokens"),
        ({"max_cost_usd": "100000.01"}, "max_cost_usd"),
        ({"max_cost_usd": 5}, "max_cost_usd"),
        ({"user": {}}, "user"),
        ({"repository": "r" * 201}, "repository"),
        ({"batch": "yes"}, "batch"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_each_bad_field_is_named(till: Till, fields: dict[str, Any], named: str) -> None:
    refusal = till.refused(400, "invalid_request", "00000000-0000-7000-8000-000000000000", **fields)
    assert refusal["detail"].startswith(named)


def test_size_and_cost_are_given_once(till: Till) -> None:
    ada, _ = till.hire()
    both = {"estimate": {"input_tokens": 1, "output_tokens": 1}, "max_cost_usd": "1"}
    till.refused(400, "invalid_request", ada, **both)
    made = till.allowed(ada)
    for body in ({}, {"usage": {}, "cost_usd": "1"}, {"usage": {"input_tokens": "1"}}):
        assert till.settle(made, **body).status_code == 400


def test_a_right_that_ended_by_time_authorizes_nothing_even_without_a_worker(
    till: Till, clock: FakeClock
) -> None:
    clock.stop()
    ada = till.organization.scim.create_user()
    group = till.organization.scim.create_group(members=[ada])
    till.organization.map_group(group, expires_at=rfc3339(clock.now() + timedelta(hours=1)))
    till.allowed(ada)
    clock.advance(hours=1)
    till.refused(403, "no_seat", ada)
