"""Counters open with the first call in a window, end with it, and are never reset."""

from datetime import UTC, datetime, timedelta

from tests.support.fakes import FakeClock
from tests.support.till import Till


def test_five_hours_begin_with_the_first_call_and_end_five_hours_later(till: Till, clock: FakeClock) -> None:
    clock.stop()
    ada, _ = till.hire({"five_hour": "0.03"})
    assert till.effective(ada)[0]["resets_at"] is None
    till.allowed(ada)
    ends_at = datetime.fromisoformat(till.effective(ada)[0]["resets_at"])
    assert ends_at == clock.now() + timedelta(hours=5)
    clock.advance(hours=4, minutes=59)
    till.refused(402, "spend_limit_reached", ada)
    clock.advance(minutes=1)
    assert till.effective(ada)[0]["resets_at"] is None
    till.allowed(ada)


def test_a_call_refused_at_once_opens_no_window(till: Till) -> None:
    ada, _ = till.hire({"five_hour": "0.01"})
    assert till.refused(402, "spend_limit_reached", ada)["resets_at"] is None
    assert till.effective(ada)[0]["resets_at"] is None


def test_money_is_booked_in_the_window_in_which_it_was_held(till: Till, clock: FakeClock) -> None:
    clock.fixed = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    ada, _ = till.hire({"monthly": "0.03", "daily": "1"})
    late = till.allowed(ada)
    clock.advance(minutes=2)
    till.allowed(ada)
    till.settle(late, cost_usd="0.02")
    assert [row["settled_usd"] for row in till.effective(ada)] == ["0", "0"]
    assert till.differences() == []


def test_an_open_window_keeps_its_end_when_the_zone_changes(till: Till, clock: FakeClock) -> None:
    clock.fixed = datetime(2026, 11, 25, 12, tzinfo=UTC)
    ada, _ = till.hire({"daily": "1"})
    till.allowed(ada)
    assert till.api.patch("/organization", {"zone": "Asia/Tokyo"}).status_code == 200
    assert till.effective(ada)[0]["resets_at"] == "2026-11-26T00:00:00.000000Z"
    clock.advance(hours=13)
    till.allowed(ada)
    assert till.effective(ada)[0]["resets_at"] == "2026-11-26T15:00:00.000000Z"
