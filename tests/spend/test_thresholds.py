"""50, 80 and 100 percent of a limit are told once for each window and level."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from app.audit.models import outbox_messages
from app.core.tenancy import ORG_ID
from app.spend.notices import THRESHOLD_REACHED
from tests.support.cast import in_organization, json_of
from tests.support.fakes import FakeClock
from tests.support.till import Till


def told(till: Till) -> list[tuple[str, str, int]]:
    """Who was told of, the window and the level, in order."""
    listed = json_of(till.api.get(f"/audit/events?limit=1000&action={THRESHOLD_REACHED}"))["data"]
    return [(row["target"]["type"], row["data"]["window"], row["data"]["percent"]) for row in listed]


def outgoing(till: Till) -> int:
    with in_organization(till.organization.app, till.organization.id, write=False) as services:
        query = select(outbox_messages.c.id).where(
            outbox_messages.c.org_id == ORG_ID, outbox_messages.c.kind == THRESHOLD_REACHED
        )
        return len(services.uow.execute(query).all())


def spend(till: Till, user_id: str, cost: str) -> None:
    assert till.settle(till.allowed(user_id, max_cost_usd=cost), cost_usd=cost).status_code == 200


def test_each_level_is_told_when_it_is_reached_exactly_and_once(till: Till) -> None:
    ada, _ = till.hire({"monthly": "1"})
    spend(till, ada, "0.499999999")
    assert told(till) == []
    spend(till, ada, "0.000000001")
    assert told(till) == [("user", "monthly", 50)]
    spend(till, ada, "0.1")
    assert told(till) == [("user", "monthly", 50)]
    spend(till, ada, "0.4")
    assert told(till) == [("user", "monthly", level) for level in (50, 80, 100)]
    assert outgoing(till) == 3


def test_a_new_window_is_told_of_anew(till: Till, clock: FakeClock) -> None:
    ada, _ = till.hire({"daily": "1"})
    spend(till, ada, "0.6")
    clock.advance(days=1)
    spend(till, ada, "0.6")
    assert told(till) == [("user", "daily", 50)] * 2


def test_every_scope_has_its_own_levels(till: Till) -> None:
    ada, group_id = till.hire({"monthly": "1"})
    till.limit("group", group_id, "2", pool=True)
    till.limit_everybody("1")
    spend(till, ada, "0.5")
    assert sorted(told(till)) == [("organization", "monthly", 50), ("user", "monthly", 50)]
    spend(till, ada, "0.5")
    assert ("group", "monthly", 50) in told(till)


def test_held_money_is_not_spent_yet(till: Till) -> None:
    ada, _ = till.hire({"monthly": "1"})
    till.allowed(ada, max_cost_usd="1")
    assert told(till) == []


def test_a_limit_that_refuses_after_80_percent_is_told_as_used_up(till: Till) -> None:
    ada, _ = till.hire({"monthly": "1"})
    spend(till, ada, "0.9")
    for _ in range(2):
        till.refused(402, "spend_limit_reached", ada, max_cost_usd="0.2")
    assert told(till) == [("user", "monthly", level) for level in (50, 80, 100)]


def test_a_large_call_that_never_fitted_says_nothing_of_the_limit(till: Till) -> None:
    ada, _ = till.hire({"monthly": "1"})
    till.refused(402, "spend_limit_reached", ada, max_cost_usd="2")
    assert told(till) == []


def test_calls_that_end_at_once_tell_each_level_once(till: Till) -> None:
    ada, _ = till.hire({"monthly": "1"})
    till.limit_everybody("1", mode="soft")
    held = [till.allowed(ada, max_cost_usd="0.1") for _ in range(10)]
    with ThreadPoolExecutor(10) as threads:
        settled = [threads.submit(till.settle, one, cost_usd="0.1") for one in held]
        assert {one.result().status_code for one in settled} == {200}
    assert till.organization.audit_actions().count("spend_limit.threshold_reached") == 6
    assert till.differences() == []
