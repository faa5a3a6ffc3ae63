"""A month costs its seats by days and its usage; once closed it never changes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask

from app.core.ids import edge_id
from app.spend.billing import Billing
from tests.support.cast import create_organization, in_organization, json_of
from tests.support.fakes import FakeClock
from tests.support.till import Till


class Desk:
    """An organization founded on November 1st, which reports usage and reads its bills."""

    def __init__(self, app: Flask, clock: FakeClock) -> None:
        self.clock = clock
        clock.fixed = datetime(2026, 11, 1, 12, tzinfo=UTC)
        self.till = Till(create_organization(app))
        self.api = self.till.api
        self.sent = 0

    def use(self, user_id: str, cost_usd: str, occurred_at: str, **fields: Any) -> None:
        self.sent += 1
        event = {
            "id": f"e{self.sent}",
            "user": {"id": edge_id("user", user_id)},
            "surface": "code",
            "model": "claude-sonnet-4-6",
            "occurred_at": occurred_at,
            "cost_usd": cost_usd,
            **fields,
        }
        assert json_of(self.api.post("/usage_events", {"events": [event]}))["created"] == 1

    def work(self) -> None:
        """Two rounds of the worker: the second one closes what the first has summed up."""
        for _ in range(2):
            self.till.organization.work()
            self.clock.advance(minutes=2)

    def look(self) -> None:
        with in_organization(self.till.organization.app, self.till.organization.id) as services:
            services.get(Billing).look()
            services.commit()

    def go_to(self, month: int, day: int) -> None:
        self.clock.fixed = datetime(2026, month, day, 12, tzinfo=UTC)
        self.work()

    def bills(self) -> dict[str, Any]:
        return {row["month"]: row for row in json_of(self.api.get("/billing"))["data"]}

    def amounts(self, month: str) -> tuple[str, ...]:
        bill = self.bills()[month]
        return tuple(bill[name] for name in ("state", "seats_usd", "usage_usd", "total_usd"))


@pytest.fixture
def desk(app: Flask, clock: FakeClock) -> Desk:
    return Desk(app, clock)


def test_a_seat_costs_its_fee_by_days_and_usage_comes_on_top(desk: Desk) -> None:
    desk.go_to(11, 16)
    ada, _ = desk.till.hire()
    desk.use(ada, "3.5", "2026-11-16T10:00:00Z")
    desk.work()
    # One of 30 days of 20 dollars so far.
    assert desk.amounts("2026-11") == ("open", "0.666666667", "3.5", "4.166666667")
    desk.go_to(11, 30)
    assert desk.amounts("2026-11") == ("open", "10", "3.5", "13.5")


def test_a_seat_that_was_given_back_costs_until_that_day(desk: Desk) -> None:
    ada, _ = desk.till.hire()
    desk.go_to(11, 3)
    desk.till.organization.scim.set_active(ada, False)
    desk.go_to(11, 20)
    assert desk.amounts("2026-11")[1] == "2"


def test_a_closed_month_never_changes_and_late_usage_is_billed_in_the_open_one(desk: Desk) -> None:
    ada, _ = desk.till.hire()
    desk.use(ada, "4", "2026-11-01T10:00:00Z")
    desk.go_to(12, 1)
    assert desk.amounts("2026-11")[0] == "open"
    desk.go_to(12, 3)
    closed = desk.bills()["2026-11"]
    assert (closed["state"], closed["seats_usd"], closed["usage_usd"]) == ("closed", "20", "4")
    desk.use(ada, "7", "2026-11-30T10:00:00Z")
    assert desk.api.patch("/organization", {"seat_fee_usd": "50"}).status_code == 200
    desk.go_to(12, 10)
    assert desk.bills()["2026-11"] == closed
    assert desk.bills()["2026-12"]["usage_usd"] == "7"
    # By day it stays where it happened.
    days = json_of(desk.api.get("/analytics/cost?group_by[]=day"))["data"]
    assert {row["day"]: row["cost_usd"] for row in days}["2026-11-30"] == "7"
    assert desk.till.organization.audit_actions().count("bill.closed") == 1


def test_all_bills_are_the_ledger_whatever_comes_after_a_month_is_closed(desk: Desk) -> None:
    (ada, _), (bob, _) = desk.till.hire(), desk.till.hire()
    desk.use(ada, "4", "2026-11-01T10:00:00Z")
    desk.go_to(12, 3)
    closed = desk.bills()["2026-11"]
    lines = json_of(desk.api.get("/billing/lines?month=2026-11"))
    # Less than was billed, somebody else's late call, and the zone by which days are counted.
    correction = {"id": "less", "corrects": "e1", "cost_usd": "1"}
    assert json_of(desk.api.post("/usage_events", {"events": [correction]}))["created"] == 1
    desk.use(bob, "0.5", "2026-11-30T23:59:59Z")
    assert desk.api.patch("/organization", {"zone": "Asia/Tokyo"}).status_code == 200
    desk.use(bob, "0.25", "2026-11-30T14:59:59Z")
    assert desk.till.organization.scim.delete(f"/Users/{ada}").status_code == 204
    desk.go_to(12, 20)
    assert desk.bills()["2026-11"] == closed
    assert json_of(desk.api.get("/billing/lines?month=2026-11")) == lines
    assert desk.bills()["2026-12"]["usage_usd"] == "-2.25"
    december = json_of(desk.api.get("/billing/lines?month=2026-12"))["data"]
    assert {row["user_id"]: row["usage_usd"] for row in december} == {
        edge_id("user", ada): "-3",
        edge_id("user", bob): "0.75",
    }
    assert desk.till.differences() == []


def test_a_month_is_closed_while_calls_keep_coming(desk: Desk) -> None:
    ada, _ = desk.till.hire()
    desk.use(ada, "4", "2026-11-01T10:00:00Z")
    desk.clock.fixed = datetime(2026, 12, 1, 23, tzinfo=UTC)
    # Recorded within the day after the month: not closed before that is summed up.
    desk.use(ada, "1", "2026-11-30T11:00:00Z")
    desk.clock.fixed = datetime(2026, 12, 3, 12, tzinfo=UTC)
    desk.look()
    assert "closed" not in [bill["state"] for bill in desk.bills().values()]
    desk.till.organization.work()
    desk.use(ada, "2", "2026-12-03T11:00:00Z")
    desk.look()
    assert desk.amounts("2026-11") == ("closed", "20", "5", "25")


def test_workers_that_look_at_once_close_a_month_once(desk: Desk) -> None:
    ada, _ = desk.till.hire()
    desk.use(ada, "4", "2026-11-01T10:00:00Z")
    desk.work()
    desk.clock.fixed = datetime(2026, 12, 3, 12, tzinfo=UTC)
    with ThreadPoolExecutor(4) as threads:
        for turn in [threads.submit(desk.till.organization.work) for _ in range(4)]:
            turn.result()
    desk.work()
    assert desk.amounts("2026-11") == ("closed", "20", "4", "24")
    assert desk.till.organization.audit_actions().count("bill.closed") == 1


def test_the_lines_of_a_bill_sum_to_it_and_are_a_table(desk: Desk) -> None:
    (ada, _), (bob, _) = desk.till.hire(), desk.till.hire()
    desk.use(ada, "1", "2026-11-01T10:00:00Z")
    desk.use(bob, "2", "2026-11-01T10:00:00Z")
    desk.go_to(12, 5)
    lines = json_of(desk.api.get("/billing/lines?month=2026-11"))["data"]
    assert [(row["user_id"], row["seat_days"], row["total_usd"]) for row in lines] == [
        (edge_id("user", bob), 30, "22"),
        (edge_id("user", ada), 30, "21"),
    ]
    assert desk.amounts("2026-11") == ("closed", "40", "3", "43")
    table = desk.api.get("/billing/lines?month=2026-11", headers={"Accept": "text/csv"}).text
    assert len(table.splitlines()) == 3
    assert desk.api.get("/billing/lines?month=2027-01").status_code == 404
    assert desk.api.get("/billing/lines?month=2026-13").status_code == 400


def test_a_contract_says_what_is_used_and_when_it_is_used_up(desk: Desk) -> None:
    ada, _ = desk.till.hire()
    desk.use(ada, "10", "2026-11-01T00:00:00Z", repository="acme/web")
    contract = {"name": "2026", "starts_on": "2026-11-01", "ends_on": "2026-12-31", "cap_usd": "30"}
    created = json_of(desk.api.post("/billing/contracts", contract))
    desk.go_to(11, 5)
    shown = json_of(desk.api.get(f"/billing/contracts/{created['id']}"))
    # 10 dollars in 5 days, 20 are left.
    assert (shown["used_usd"], shown["exhausted_on"]) == ("10", "2026-11-15")
    assert shown["top_users"][0]["user_id"] == edge_id("user", ada)
    assert shown["top_repositories"] == [{"repository": "acme/web", "cost_usd": "10"}]
    assert desk.api.delete(f"/billing/contracts/{created['id']}").status_code == 200
    assert json_of(desk.api.get("/billing/contracts"))["data"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"cap_usd": None},
        {"ends_on": "2025-12-31"},
        {"starts_on": "yesterday"},
        {"cap_tokens": 0},
        {"cap_usd": 30},
    ],
)
def test_a_contract_that_makes_no_sense_is_refused(desk: Desk, change: dict[str, Any]) -> None:
    contract = {"name": "2026", "starts_on": "2026-01-01", "ends_on": "2026-12-31", "cap_usd": "30"}
    assert desk.api.post("/billing/contracts", {**contract, **change}).status_code == 400


def test_a_forecast_over_a_limit_is_told_once_for_each_level(desk: Desk) -> None:
    ada, _ = desk.till.hire({"monthly": "40"})
    desk.till.settle(desk.till.allowed(ada), cost_usd="12")
    told = "spend_limit.forecast_reached"
    # Too early to say.
    desk.work()
    assert told not in desk.till.organization.audit_actions(ada)
    desk.go_to(11, 7)
    # 12 dollars in 6.5 of 30 days come to 55.
    assert desk.till.organization.audit_actions(ada).count(told) == 1
    desk.go_to(11, 8)
    assert desk.till.organization.audit_actions(ada).count(told) == 1
    desk.till.settle(desk.till.allowed(ada), cost_usd="8")
    desk.work()
    assert desk.till.organization.audit_actions(ada).count(told) == 2
