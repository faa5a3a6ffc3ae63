"""What a call costs, counted in statements to the database: the same however much there is."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.core.clock import rfc3339
from app.core.connection import Connection
from tests.support.cast import Organization
from tests.support.fakes import FakeClock
from tests.support.till import Till

_NO_WORK = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")
Count = Callable[[Callable[[], TestResponse]], list[str]]


@pytest.fixture
def statements(till: Till, monkeypatch: pytest.MonkeyPatch) -> Count:
    """Answers the statements of one successful request, without the transaction's own."""
    seen: list[str] = []
    send, begin = Connection.send, Connection.begin

    def note(self: Connection, sql: str, values: Any, **kept: bool) -> None:
        if not sql.startswith(_NO_WORK):
            seen.append(sql)
        send(self, sql, values, **kept)

    def note_begin(self: Connection) -> None:
        seen.append("BEGIN")
        begin(self)

    def count(request: Callable[[], TestResponse]) -> list[str]:
        seen.clear()
        response = request()
        assert response.status_code < 300, response.text
        return list(seen)

    monkeypatch.setattr(Connection, "send", note)
    monkeypatch.setattr(Connection, "begin", note_begin)
    # The first use of a key is noted, at most once a minute; that is not what is counted here.
    assert till.gateway.get("/authorizations/auth_1").status_code == 404
    return count


@pytest.fixture
def on_postgresql(acme: Organization) -> None:
    if acme.container.database.is_sqlite:
        pytest.skip("SQLite has no round trips to save.")


@pytest.mark.usefixtures("on_postgresql")
def test_authorizing_and_settling_are_few_statements_and_no_transaction(
    till: Till, statements: Count
) -> None:
    ada, group_id = till.hire({"daily": "50", "monthly": "100"})
    till.limit("group", group_id, "500", pool=True)
    till.limit_everybody("1000")
    first = till.allowed(ada)
    asked = statements(lambda: till.ask(ada))
    assert (len(asked), "spend_hold" in asked[-1], "BEGIN" in asked) == (3, True, False)
    settled = statements(lambda: till.settle(first, cost_usd="0.001"))
    assert (len(settled), "spend_end" in settled[-1], "BEGIN" in settled) == (3, True, False)
    second = till.allowed(ada)
    by_tokens = statements(lambda: till.settle(second, usage={"input_tokens": 1_000}))
    assert (len(by_tokens), "BEGIN" in by_tokens) == (4, False)


def test_a_call_costs_the_same_in_ten_groups_and_after_fifty_calls(till: Till, statements: Count) -> None:
    ada, _ = till.hire({"monthly": "100"})
    till.allowed(ada)
    before = statements(lambda: till.ask(ada))
    for _ in range(10):
        till.organization.scim.create_group(members=[ada])
    for _ in range(50):
        till.settle(till.allowed(ada), cost_usd="0.001")
    assert len(statements(lambda: till.ask(ada))) == len(before)


def test_a_report_of_many_events_moves_each_counter_once(
    till: Till, statements: Count, clock: FakeClock
) -> None:
    ada, _ = till.hire({"monthly": "100"})
    reporter = till.organization.api_with("usage:write")

    def report(count: int) -> list[str]:
        event = {
            "user": {"id": f"user_{ada}"},
            "surface": "code",
            "model": "claude-sonnet-4-6",
            "occurred_at": rfc3339(clock.now()),
            "cost_usd": "0.01",
        }
        events = [{**event, "id": f"{count}-{number}"} for number in range(count)]
        return statements(lambda: reporter.post("/usage_events", {"events": events}))

    report(2)
    few, many = report(20), report(200)
    assert len(few) == len(many)
