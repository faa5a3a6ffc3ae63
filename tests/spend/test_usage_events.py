"""Usage that no gateway saw is booked once, in its own window, whatever the limits say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.core.clock import rfc3339
from app.core.ids import edge_id
from tests.support.cast import json_of
from tests.support.fakes import FakeClock
from tests.support.till import Till

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Reporter:
    """Reports what people used, by user id."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.client = till.organization.api_with("usage:write")

    def event(self, id_: str, user_id: str | None, **fields: Any) -> dict[str, Any]:
        made: dict[str, Any] = {
            "id": id_,
            "surface": "code",
            "model": "claude-sonnet-4-6",
            "occurred_at": rfc3339(NOON),
            "usage": {"input_tokens": 1_000, "output_tokens": 1_000},
        }
        if user_id is not None:
            made["user"] = {"id": edge_id("user", user_id)}
        if "cost_usd" in fields:
            del made["usage"]
        return {**made, **fields}

    def send(self, *events: dict[str, Any]) -> TestResponse:
        return self.client.post("/usage_events", {"events": list(events)})

    def results(self, *events: dict[str, Any]) -> list[str]:
        response = self.send(*events)
        assert response.status_code == 200, response.text
        return [row["result"] for row in json_of(response)["data"]]

    def kept(self) -> list[Any]:
        found: list[Any] = json_of(self.client.get("/usage_events"))["data"]
        return found


@pytest.fixture
def reporter(till: Till, clock: FakeClock) -> Reporter:
    clock.fixed = NOON + timedelta(minutes=1)
    return Reporter(till)


def settled(till: Till, user_id: str) -> dict[str, str]:
    return {row["window"]: row["settled_usd"] for row in till.effective(user_id)}


def test_an_event_is_booked_by_the_price_of_its_moment(till: Till, reporter: Reporter) -> None:
    ada, _ = till.hire({"daily": "1", "monthly": "10"})
    response = reporter.send(reporter.event("e1", ada))
    assert json_of(response) == {
        "type": "usage_event_results",
        "created": 1,
        "data": [
            {
                "type": "usage_event_result",
                "id": "e1",
                "result": "created",
                "detail": None,
                "booked_usd": "0.018",
            }
        ],
    }
    assert settled(till, ada) == {"daily": "0.018", "monthly": "0.018"}
    assert till.differences() == []


def test_an_id_counts_once_for_ever(till: Till, reporter: Reporter, clock: FakeClock) -> None:
    ada, _ = till.hire({"monthly": "10"})
    event = reporter.event("e1", ada)
    assert reporter.results(event, event) == ["created", "duplicate"]
    clock.advance(days=3)
    assert reporter.results(reporter.event("e1", ada, cost_usd="9")) == ["duplicate"]
    assert reporter.results(event) == ["duplicate"]
    assert settled(till, ada) == {"monthly": "0.018"}


def test_one_request_has_a_result_for_each_event(till: Till, reporter: Reporter) -> None:
    ada, _ = till.hire()
    stranger = {"user": {"user_name": "nobody@example.com"}}
    events = [
        reporter.event("a", ada),
        reporter.event("b", None, **stranger),
        reporter.event("c", ada, model="gpt-unheard-of"),
        reporter.event("d", ada, occurred_at="2026-11-25T12:30:00Z"),
        reporter.event("e", ada, surface="fax"),
        reporter.event("f", ada, corrects="zzz"),
        {"id": "g", "corrects": "zzz", "cost_usd": "1"},
        reporter.event("h", ada, occurred_at="0001-01-01T00:00:00+14:00"),
        reporter.event("i", None, user={"id": "user_1"}),
        reporter.event("a", ada),
    ]
    assert reporter.results(*events) == [
        "created",
        "unknown_user",
        "unknown_price",
        "invalid",
        "invalid",
        "invalid",
        "unknown_event",
        "invalid",
        "invalid",
        "duplicate",
    ]
    assert till.differences() == []


def test_late_usage_counts_in_the_window_that_contains_it(
    till: Till, reporter: Reporter, clock: FakeClock
) -> None:
    ada, _ = till.hire({"daily": "1", "monthly": "10"})
    yesterday = reporter.event("late", ada, occurred_at=rfc3339(NOON - timedelta(days=1)))
    last_month = reporter.event("later", ada, occurred_at="2026-10-31T23:59:59Z")
    assert reporter.results(reporter.event("now", ada), yesterday, last_month) == ["created"] * 3
    assert settled(till, ada) == {"daily": "0.018", "monthly": "0.036"}
    assert till.differences() == []


def test_usage_over_a_limit_is_booked_and_stops_the_next_call(till: Till, reporter: Reporter) -> None:
    ada, group_id = till.hire({"monthly": "1"})
    till.limit("group", group_id, "5", pool=True)
    assert reporter.results(reporter.event("big", ada, cost_usd="7")) == ["created"]
    refusal = till.refused(402, "spend_limit_reached", ada)
    assert refusal["scope"]["type"] == "user"
    assert [row["settled_usd"] for row in till.effective(ada)] == ["7", "7"]
    reached = [name for name in till.organization.audit_actions() if name == "spend_limit.threshold_reached"]
    assert len(reached) == 6
    assert till.differences() == []


def test_a_correction_books_the_difference(till: Till, reporter: Reporter) -> None:
    ada, _ = till.hire({"monthly": "10"})
    first = reporter.event("e1", ada, cost_usd="2")
    # It may come with what it corrects.
    correction = {"id": "c1", "corrects": "e1", "cost_usd": "0.5"}
    response = json_of(reporter.send(first, correction))
    assert [row["booked_usd"] for row in response["data"]] == ["2", "-1.5"]
    assert reporter.results(correction) == ["duplicate"]
    assert reporter.results({"id": "c2", "corrects": "e1", "cost_usd": "3"}) == ["created"]
    assert reporter.results({"id": "c3", "corrects": "c2", "cost_usd": "3"}) == ["unknown_event"]
    assert settled(till, ada) == {"monthly": "3"}
    assert till.differences() == []


def test_corrections_of_one_event_in_one_request_come_one_after_the_other(
    till: Till, reporter: Reporter
) -> None:
    ada, _ = till.hire({"monthly": "10"})
    assert reporter.results(reporter.event("e1", ada, cost_usd="2")) == ["created"]
    corrections = ({"id": f"c{cost}", "corrects": "e1", "cost_usd": cost} for cost in ("5", "4"))
    response = json_of(reporter.send(*corrections))
    assert [row["booked_usd"] for row in response["data"]] == ["3", "-1"]
    assert settled(till, ada) == {"monthly": "4"}
    assert till.differences() == []


def test_a_correction_by_tokens_of_a_model_without_a_price_books_nothing(
    till: Till, reporter: Reporter
) -> None:
    ada, _ = till.hire({"monthly": "10"})
    event = reporter.event("e1", ada, model="gpt-unheard-of", cost_usd="2")
    by_tokens = {"id": "c1", "corrects": "e1", "usage": {"input_tokens": 10, "output_tokens": 10}}
    assert reporter.results(event, by_tokens) == ["created", "unknown_price"]
    assert settled(till, ada) == {"monthly": "2"}
    assert reporter.results({"id": "c1", "corrects": "e1", "cost_usd": "3"}) == ["created"]
    assert settled(till, ada) == {"monthly": "3"}


def test_events_of_unknown_people_are_kept_and_booked_when_they_appear(
    till: Till, reporter: Reporter, clock: FakeClock
) -> None:
    event = reporter.event("e1", None, user={"user_name": "Late@Example.com"})
    assert reporter.results(event) == ["unknown_user"]
    assert reporter.results(event) == ["duplicate"]
    assert [(row["id"], row["user_name"]) for row in reporter.kept()] == [("e1", "Late@Example.com")]
    assert json_of(reporter.client.post("/usage_events/match"))["created"] == 0
    late = till.organization.scim.create_user("late@example.com")
    till.organization.map_group(till.organization.scim.create_group(members=[late]))
    till.organization.work()
    assert reporter.kept() == []
    assert reporter.results(event) == ["duplicate"]
    till.limit("user", late, "10")
    assert settled(till, late) == {"monthly": "0.018"}
    assert till.differences() == []


def test_usage_of_somebody_who_left_is_not_lost(till: Till, reporter: Reporter) -> None:
    ada, _ = till.hire({"monthly": "10"})
    assert till.organization.scim.delete(f"/Users/{ada}").status_code == 204
    assert reporter.results(reporter.event("e1", ada)) == ["created"]
    assert till.differences() == []


def test_a_thousand_events_are_taken_and_one_more_is_refused(till: Till, reporter: Reporter) -> None:
    people = [till.hire()[0] for _ in range(3)]
    events = [reporter.event(f"e{n}", people[n % 3]) for n in range(1_000)]
    assert reporter.results(*events) == ["created"] * 1_000
    assert reporter.send(*events, reporter.event("more", people[0])).status_code == 400
    assert reporter.send().status_code == 400
    assert till.differences() == []


def test_another_organization_may_use_the_same_id(till: Till, reporter: Reporter, globex: Any) -> None:
    ada, _ = till.hire()
    assert reporter.results(reporter.event("e1", ada)) == ["created"]
    other = Till(globex)
    eve, _ = other.hire()
    assert Reporter(other).results(reporter.event("e1", eve)) == ["created"]
    assert Reporter(other).results(reporter.event("e2", ada)) == ["unknown_user"]
