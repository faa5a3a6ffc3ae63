"""What reports read is the ledger, entry by entry, whatever happens beside it and in the middle of it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core.clock import rfc3339
from app.core.ids import edge_id
from app.core.tenancy import ORG_ID
from app.spend.analytics import Analytics
from app.spend.check import Found, SpendCheck
from app.spend.models import ledger_entries
from app.spend.rollups import RollUps
from app.spend.usage_models import usage_rollups
from tests.support.cast import in_organization, json_of
from tests.support.fakes import FakeClock
from tests.support.till import Till

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
CALLS, WRITERS = 12, 4
_LEDGER = select(func.count(), func.sum(ledger_entries.c.amount_nanousd)).where(
    ledger_entries.c.org_id == ORG_ID
)
_SUMS = select(func.sum(usage_rollups.c.requests), func.sum(usage_rollups.c.amount_nanousd)).where(
    usage_rollups.c.org_id == ORG_ID
)


def roll_up(till: Till) -> int:
    with in_organization(till.organization.app, till.organization.id) as services:
        done: int = services.get(RollUps).step()
        services.commit()
    return done


def check(till: Till) -> Found:
    with in_organization(till.organization.app, till.organization.id, write=False) as services:
        found: Found = services.get(SpendCheck).verify()
    return found


def totals(till: Till, statement: Any) -> tuple[int, int]:
    with in_organization(till.organization.app, till.organization.id, write=False) as services:
        count, amount = services.uow.execute(statement).one()
    return int(count or 0), int(amount or 0)


def spend(till: Till, user_id: str, cost_usd: str) -> None:
    assert till.settle(till.allowed(user_id, max_cost_usd="1"), cost_usd=cost_usd).status_code == 200


def report(till: Till, event_id: str, user_id: str, **fields: Any) -> None:
    event = {
        "id": event_id,
        "user": {"id": edge_id("user", user_id)},
        "surface": "code",
        "model": "claude-sonnet-4-6",
        "occurred_at": rfc3339(NOON),
        "cost_usd": "0.5",
        **fields,
    }
    assert json_of(till.api.post("/usage_events", {"events": [event]}))["created"] == 1


@pytest.fixture
def noon(clock: FakeClock) -> FakeClock:
    clock.fixed = NOON
    return clock


def test_nothing_is_lost_or_counted_twice_while_others_write(till: Till, noon: FakeClock) -> None:
    people = [till.hire()[0] for _ in range(WRITERS)]
    till.organization.api_with("spend:authorize")

    def write(place: int) -> None:
        for number in range(CALLS):
            spend(till, people[place], f"0.0{number + 1}")
            report(till, f"{place} {number}", people[place])
            noon.advance(seconds=1)

    with ThreadPoolExecutor(WRITERS + 2) as threads:
        writing = [threads.submit(write, place) for place in range(WRITERS)]
        while not all(one.done() for one in writing):
            for step in [threads.submit(roll_up, till) for _ in range(2)]:
                step.result()
        for one in writing:
            one.result()
    roll_up(till)
    assert totals(till, _SUMS) == totals(till, _LEDGER)
    assert totals(till, _SUMS)[0] == 2 * CALLS * WRITERS
    found = check(till)
    assert (found.differences, found.entries_not_summed_up) == ([], 0)


@pytest.mark.parametrize("broken", ["_set_ids", "_insert", "_advance"])
def test_a_step_that_breaks_off_anywhere_is_done_anew(
    till: Till, noon: FakeClock, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    ada, _ = till.hire()
    spend(till, ada, "0.25")
    whole = getattr(RollUps, broken)

    def break_off(*arguments: Any) -> None:
        whole(*arguments)
        raise KeyError(broken)

    with monkeypatch.context() as patched:
        patched.setattr(RollUps, broken, break_off)
        with pytest.raises(KeyError):
            roll_up(till)
    assert totals(till, _SUMS) == (0, 0)
    assert check(till).entries_not_summed_up == 1
    assert [roll_up(till), roll_up(till)] == [1, 0]
    assert totals(till, _SUMS) == (1, 250_000_000)


@pytest.mark.parametrize("late_seconds", [1, 59, 600, 3_600])
def test_what_is_committed_long_after_it_was_recorded_is_found(
    till: Till, noon: FakeClock, late_seconds: int
) -> None:
    ada, _ = till.hire()
    spend(till, ada, "0.25")
    noon.advance(hours=1)
    till.organization.work()
    # The clock of the one that was slow stood still meanwhile.
    noon.advance(seconds=-late_seconds)
    report(till, "slow", ada)
    noon.advance(hours=1, seconds=late_seconds)
    for _ in range(2):
        till.organization.work()
    assert totals(till, _SUMS) == (2, 750_000_000)


def test_a_clock_that_is_ahead_hides_nothing(till: Till, noon: FakeClock) -> None:
    ada, _ = till.hire()
    noon.advance(minutes=30)
    spend(till, ada, "0.25")
    noon.advance(minutes=-30)
    assert roll_up(till) == 1
    spend(till, ada, "0.5")
    assert [roll_up(till), roll_up(till)] == [1, 0]
    assert totals(till, _SUMS) == (2, 750_000_000)


def test_a_report_says_until_when_it_is_exact(till: Till, noon: FakeClock) -> None:
    ada, _ = till.hire()
    spend(till, ada, "0.25")
    noon.advance(seconds=90)
    assert json_of(till.api.get("/analytics/cost"))["current_until"] == rfc3339(NOON)
    roll_up(till)
    noon.advance(seconds=5)
    assert json_of(till.api.get("/analytics/cost"))["current_until"] == rfc3339(noon.now())


def test_late_usage_and_corrections_are_in_the_sums(till: Till, noon: FakeClock) -> None:
    ada, _ = till.hire()
    report(till, "late", ada, occurred_at="2026-09-30T23:59:59Z", cost_usd="2")
    correction = {"id": "less", "corrects": "late", "cost_usd": "0.75"}
    assert json_of(till.api.post("/usage_events", {"events": [correction]}))["created"] == 1
    roll_up(till)
    query = {"group_by[]": "day", "starting_at": "2026-09-01T00:00:00Z"}
    (row,) = json_of(till.api.get("/analytics/cost", query_string=query))["data"]
    assert (row["day"], row["cost_usd"], row["requests"]) == ("2026-09-30", "0.75", 1)
    assert check(till).differences == []


def test_a_sum_that_is_not_the_ledgers_is_told(till: Till, noon: FakeClock) -> None:
    ada, _ = till.hire()
    spend(till, ada, "0.25")
    roll_up(till)
    with in_organization(till.organization.app, till.organization.id) as services:
        changed = usage_rollups.update().where(usage_rollups.c.org_id == ORG_ID).values(amount_nanousd=7)
        services.uow.execute(changed)
        services.commit()
    assert check(till).differences == [
        {"scope_type": "reports", "ledger_nanousd": 250_000_000, "reported_nanousd": 7}
    ]


def test_the_parts_of_a_summary_are_of_one_moment(
    till: Till, noon: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, _ = till.hire()
    spend(till, ada, "0.25")
    roll_up(till)
    spend(till, ada, "0.5")
    days = Analytics.days

    def after_a_step(analytics: Analytics, first_day: int, last_day: int) -> list[Any]:
        roll_up(till)
        return days(analytics, first_day, last_day)

    monkeypatch.setattr(Analytics, "days", after_a_step)
    noon.advance(seconds=1)
    first, second = (json_of(till.api.get("/analytics/summary")) for _ in range(2))
    assert (first["data"][0]["cost_usd"], first["totals"]["cost_usd"]) == ("0.25", "0.25")
    assert first["current_until"] == rfc3339(NOON)
    assert (second["data"][0]["cost_usd"], second["totals"]["cost_usd"]) == ("0.75", "0.75")
