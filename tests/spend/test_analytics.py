"""Reports are read from roll-ups, which the worker keeps exact to the ledger."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.clock import rfc3339
from app.core.ids import edge_id
from app.spend.rollups import RollUps
from app.spend.usage_calendar import forecast_nanousd
from tests.support.cast import in_organization, json_of
from tests.support.fakes import FakeClock
from tests.support.till import Till

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Desk:
    """Reports usage and reads what came of it."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.organization = till.organization
        self.api = till.organization.api
        self.sent = 0

    def use(self, user_id: str, cost_usd: str | None = "1", *, ago: int = 0, **fields: Any) -> None:
        self.sent += 1
        event = {
            "id": f"e{self.sent}",
            "user": {"id": edge_id("user", user_id)},
            "surface": "code",
            "model": "claude-sonnet-4-6",
            "occurred_at": rfc3339(NOON - timedelta(days=ago)),
            **fields,
        }
        if cost_usd is not None:
            event["cost_usd"] = cost_usd
        answer = json_of(self.api.post("/usage_events", {"events": [event]}))
        assert answer["created"] == 1, answer

    def roll_up(self) -> None:
        self.organization.work()

    def read(self, report: str, *group_by: str, **query: str) -> Any:
        values = [("group_by[]", name) for name in group_by] + list(query.items())
        response = self.api.get(f"/analytics/{report}", query_string=values)
        assert response.status_code == 200, response.text
        return json_of(response)

    def costs(self, *group_by: str, **query: str) -> dict[Any, str]:
        """The cost by the first dimension's name."""
        shown = {"user": "user_id", "group": "group_id"}.get(group_by[0], group_by[0])
        return {row[shown]: row["cost_usd"] for row in self.read("cost", *group_by, **query)["data"]}


@pytest.fixture
def desk(till: Till, clock: FakeClock) -> Desk:
    clock.fixed = NOON
    return Desk(till)


def test_costs_come_by_every_dimension_and_sum_to_the_total(desk: Desk) -> None:
    (ada, _), (bob, _) = desk.till.hire(), desk.till.hire()
    desk.use(ada, "1", repository="acme/web", feature="review")
    desk.use(ada, "2", surface="chat", model="claude-opus-5-5")
    desk.use(bob, "4", ago=1, repository="acme/web")
    desk.roll_up()
    ada_id, bob_id = (edge_id("user", user_id) for user_id in (ada, bob))
    assert desk.costs("user") == {ada_id: "3", bob_id: "4"}
    assert desk.costs("surface") == {"code": "5", "chat": "2"}
    assert desk.costs("model") == {"claude-sonnet-4-6": "5", "claude-opus-5-5": "2"}
    assert desk.costs("repository") == {"acme/web": "5", None: "2"}
    assert desk.costs("feature") == {"review": "1", None: "6"}
    assert desk.costs("day") == {"2026-11-24": "4", "2026-11-25": "3"}
    rows = desk.read("cost", "user", "repository", "day")["data"]
    assert [(row["day"], row["cost_usd"]) for row in rows] == [
        ("2026-11-24", "4"),
        ("2026-11-25", "2"),
        ("2026-11-25", "1"),
    ]
    assert [row["cost_usd"] for row in desk.read("cost")["data"]] == ["7"]


def test_a_cost_has_one_owner_by_mapping_order_and_counts_in_every_group(desk: Desk) -> None:
    ada, first = desk.till.hire()
    _, second = desk.till.hire()
    desk.organization.scim.add_members(second, ada)
    unmapped = desk.organization.scim.create_group(members=[ada])
    loner = desk.organization.scim.create_user()
    desk.use(ada, "3")
    desk.use(loner, "1")
    desk.roll_up()
    ids = [edge_id("group", group_id) for group_id in (first, second, unmapped)]
    assert desk.costs("group") == {ids[0]: "3", None: "1"}
    assert desk.costs("group", attribution="membership") == {ids[0]: "3", ids[1]: "3", ids[2]: "3", None: "1"}
    # What was spent stays with who owned it then.
    desk.organization.scim.remove_members(first, ada)
    desk.use(ada, "5")
    desk.roll_up()
    assert desk.costs("group") == {ids[1]: "5", ids[0]: "3", None: "1"}


def test_rolling_up_again_counts_nothing_twice(desk: Desk) -> None:
    ada, _ = desk.till.hire({"monthly": "100"})
    desk.use(ada, "1")
    for _ in range(3):
        desk.roll_up()
    desk.till.settle(desk.till.allowed(ada), cost_usd="0.5")
    before = desk.read("cost")
    assert before["current_until"] == rfc3339(NOON)
    desk.roll_up()
    assert desk.read("cost")["data"][0]["cost_usd"] == "1.5"
    with in_organization(desk.organization.app, desk.organization.id) as services:
        assert services.get(RollUps).step() == 0


def test_a_correction_changes_the_cost_and_is_no_request(desk: Desk) -> None:
    ada, _ = desk.till.hire()
    desk.use(ada, None, usage={"input_tokens": 1_000, "output_tokens": 500})
    correction = {"id": "c", "corrects": "e1", "usage": {"input_tokens": 400, "output_tokens": 500}}
    assert json_of(desk.api.post("/usage_events", {"events": [correction]}))["created"] == 1
    desk.roll_up()
    row = desk.read("summary")["data"][0]
    assert (row["requests"], row["input_tokens"], row["output_tokens"]) == (1, 400, 500)
    assert row["cost_usd"] == "0.0087"


def test_what_caching_saved_is_the_difference_to_plain_input(desk: Desk) -> None:
    ada, _ = desk.till.hire()
    desk.use(ada, None, usage={"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 1_000_000})
    desk.use(ada, None, usage={"output_tokens": 0, "cache_creation_5m_input_tokens": 1_000_000})
    desk.roll_up()
    row = desk.read("cost")["data"][0]
    # 3.00 of plain input against 0.30 for reading and 3.75 for writing.
    assert (row["cost_usd"], row["cache_saved_usd"]) == ("4.05", "1.95")


def test_the_summary_has_adoption_and_forecasts(desk: Desk) -> None:
    people = [desk.till.hire()[0] for _ in range(4)]
    desk.use(people[0], "10")
    desk.use(people[1], "15", ago=3)
    desk.use(people[2], "20", ago=20)
    desk.roll_up()
    summary = desk.read("summary", "user")
    assert summary["adoption"] == {
        "assigned_seats": 4,
        "daily_active_users": 1,
        "weekly_active_users": 2,
        "monthly_active_users": 3,
    }
    assert summary["totals"]["cost_usd"] == "45"
    forecasts = {row["window"]: (row["settled_usd"], row["forecast_usd"]) for row in summary["forecasts"]}
    # Half of the day, 2.5 of 7 days, 24.5 of 30 days have passed.
    assert forecasts["daily"] == ("10", "20")
    assert forecasts["weekly"] == ("10", "28")
    assert forecasts["monthly"][0] == "45"
    assert len(summary["data"]) == 3


def test_a_forecast_of_much_money_is_exact() -> None:
    begin, end = NOON, NOON + timedelta(days=30)
    now = begin + timedelta(days=10)
    assert forecast_nanousd(3_000_000_000_000_000_001, begin, end, now) == 9_000_000_000_000_000_003
    assert forecast_nanousd(7, begin, end, end) == 7
    assert forecast_nanousd(7, begin, end, begin + timedelta(days=2)) is None


def test_days_are_those_of_the_organizations_zone(desk: Desk) -> None:
    ada, _ = desk.till.hire()
    assert desk.api.patch("/organization", {"zone": "Asia/Tokyo"}).status_code == 200
    desk.use(ada, "1", occurred_at="2026-11-24T15:30:00Z")
    desk.use(ada, "2", occurred_at="2026-11-24T14:30:00Z")
    desk.roll_up()
    assert desk.costs("day") == {"2026-11-24": "2", "2026-11-25": "1"}
    only = desk.read("cost", starting_at="2026-11-25T00:00:00+09:00", ending_at="2026-11-26T00:00:00+09:00")
    assert [row["cost_usd"] for row in only["data"]] == ["1"]
    assert (only["starting_at"], only["ending_at"]) == (
        "2026-11-24T15:00:00.000000Z",
        "2026-11-25T15:00:00.000000Z",
    )


def test_a_report_is_a_table_and_comes_in_pages(desk: Desk) -> None:
    people = [desk.till.hire()[0] for _ in range(3)]
    for place, user_id in enumerate(people, start=1):
        desk.use(user_id, str(place))
    desk.roll_up()
    first = desk.read("cost", "user", limit="2")
    rest = desk.read("cost", "user", limit="2", cursor=first["next_cursor"])
    assert [row["cost_usd"] for row in first["data"] + rest["data"]] == ["3", "2", "1"]
    table = desk.api.get("/analytics/cost?group_by[]=model", headers={"Accept": "text/csv"}).text
    head, row = table.splitlines()
    assert dict(zip(head.split(","), row.split(","), strict=True))["cost_usd"] == "6"


@pytest.mark.parametrize(
    "query",
    [
        "group_by[]=shoe_size",
        "group_by[]=user&group_by[]=user",
        "group_by=user",
        "starting_at=2026-11-25",
        "starting_at=2026-11-25T00:00:00Z&ending_at=2026-11-24T00:00:00Z",
        "starting_at=2024-11-25T00:00:00Z",
        "starting_at=0001-01-01T00:00:00Z&ending_at=9999-12-31T23:59:59Z",
        "attribution=luck",
    ],
)
def test_a_report_that_cannot_be_made_is_refused(desk: Desk, query: str) -> None:
    assert desk.api.get(f"/analytics/cost?{query}").status_code == 400


def test_nobody_sees_another_organizations_spending(desk: Desk, globex: Any) -> None:
    ada, _ = desk.till.hire()
    desk.use(ada, "1")
    desk.roll_up()
    assert json_of(globex.api.get("/analytics/cost?group_by[]=user"))["data"] == []
