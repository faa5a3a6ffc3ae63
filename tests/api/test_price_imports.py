"""`/prices/import`: what differs from the book begins, all of it or nothing; what a row says stays."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.core.clock import rfc3339
from tests.support.cast import json_of
from tests.support.fakes import FakeClock
from tests.support.till import Till

Problem = Callable[..., dict[str, Any]]
NEW = {
    "model": "claude-next-6",
    "input_per_million_usd": "3",
    "output_per_million_usd": "15",
    "cache_read_per_million_usd": "0.3",
    "cache_write_5m_per_million_usd": "3.75",
    "cache_write_1h_per_million_usd": "6",
}
SONNET = {**NEW, "model": "claude-sonnet-4-6"}


def send(acme: Any, *prices: dict[str, Any], **fields: Any) -> Any:
    return acme.post("/prices/import", {"prices": list(prices), **fields})


def results(response: Any) -> list[tuple[str, str]]:
    assert response.status_code == 200, response.text
    return [(row["model"], row["result"]) for row in response.json["data"]]


def listed(acme: Any, model: str) -> list[Any]:
    rows: list[Any] = acme.get(f"/prices?limit=100&model={model}").json["data"]
    return rows


@pytest.fixture(autouse=True)
def now(clock: FakeClock) -> FakeClock:
    clock.stop()
    return clock


def test_a_preview_shows_each_change_and_makes_none(acme: Any) -> None:
    dearer = {**SONNET, "output_per_million_usd": "20"}
    preview = send(acme, NEW, dearer, dry_run=True).json
    assert (preview["type"], preview["dry_run"], preview["added"]) == ("price_import", True, 2)
    new, changed = preview["data"]
    assert (new["model"], new["result"], new["before"], new["after"][0]["batch_percent"]) == (
        "claude-next-6",
        "added",
        [],
        100,
    )
    (before,), (after,) = changed["before"], changed["after"]
    assert (before["output_per_million_usd"], after["output_per_million_usd"]) == ("15", "20")
    # Nothing was said of batches, so they stay as they are.
    assert (before["batch_percent"], after["batch_percent"]) == (50, 50)
    assert listed(acme, "claude-next-6") == []
    assert len(listed(acme, "claude-sonnet-4-6")) == 1


def test_what_is_imported_twice_is_added_once(acme: Any) -> None:
    assert results(send(acme, NEW, SONNET)) == [
        ("claude-next-6", "added"),
        ("claude-sonnet-4-6", "unchanged"),
    ]
    assert results(send(acme, NEW)) == [("claude-next-6", "unchanged")]
    (row,) = listed(acme, "claude-next-6")
    assert {name: row[name] for name in NEW} == NEW


def test_a_call_costs_the_imported_price_to_the_nano_dollar(acme: Any, clock: FakeClock) -> None:
    till = Till(acme.organization)
    ada, _ = till.hire()
    before = till.allowed(ada)
    clock.advance(seconds=1)
    odd = {
        "output_per_million_usd": "15.000001",
        "input_per_million_usd": "0.062501",
        "cache_read_per_million_usd": "0.0625",
    }
    body = {"prices": [{**SONNET, **odd}]}
    assert acme.post("/prices/import", body).json["added"] == 1
    after = till.allowed(ada)
    usage = {"input_tokens": 3, "output_tokens": 1_001, "cache_read_input_tokens": 7}
    # What was authorized before keeps its price: 3 * 3,000 + 1,001 * 15,000 + 7 * 300 nano-dollars.
    assert json_of(till.settle(before, usage=usage))["settled_usd"] == "0.0150261"
    # 187.503 + 15,015,001.001 + 437.5 nano-dollars are 15,015,626.004.
    assert json_of(till.settle(after, usage=usage))["settled_usd"] == "0.015015626"


def test_tiers_are_replaced_together(acme: Any, problem: Problem) -> None:
    haiku = {**NEW, "model": "claude-haiku-5-5"}
    large = {**haiku, "above_prompt_tokens": 50_000, "input_per_million_usd": "4"}
    assert problem(send(acme, large), 400, "invalid_request")["detail"].startswith("above_prompt_tokens")
    problem(send(acme, haiku, haiku), 400, "invalid_request")
    (change,) = send(acme, large, haiku).json["data"]
    assert [tier["above_prompt_tokens"] for tier in change["before"]] == [0, 100_000]
    assert [tier["above_prompt_tokens"] for tier in change["after"]] == [0, 50_000]
    starts = [row["starts_at"] for row in listed(acme, "claude-haiku-5-5")]
    assert len(starts) == 4
    assert len(set(starts)) == 2


def test_announced_prices_begin_when_they_say(acme: Any, clock: FakeClock) -> None:
    later = rfc3339(clock.now() + timedelta(days=30))
    next_month = {**NEW, "starts_at": later, "input_per_million_usd": "2"}
    assert results(send(acme, next_month, NEW)) == [("claude-next-6", "added")] * 2
    # What holds then is compared with what would hold then.
    assert results(send(acme, {**NEW, "starts_at": later, "input_per_million_usd": "2"})) == [
        ("claude-next-6", "unchanged")
    ]


def test_nothing_is_added_when_one_cannot_be(acme: Any, clock: FakeClock, problem: Problem) -> None:
    past = {**SONNET, "starts_at": rfc3339(clock.now() - timedelta(days=1)), "input_per_million_usd": "9"}
    problem(send(acme, NEW, past), 400, "invalid_request")
    later = rfc3339(clock.now() + timedelta(days=1))
    assert acme.post("/prices", {**NEW, "model": "other", "starts_at": later}).status_code == 201
    other = {**NEW, "model": "other", "starts_at": later, "input_per_million_usd": "9"}
    problem(send(acme, NEW, other), 409, "price_exists")
    problem(send(acme), 400, "invalid_request")
    detail = problem(send(acme, NEW, {**NEW, "model": " "}), 400, "invalid_request")["detail"]
    assert detail.startswith("prices[1].model")
    assert listed(acme, "claude-next-6") == []


def test_each_added_price_is_in_the_audit_log(acme: Any) -> None:
    assert send(acme, NEW, SONNET, {**NEW, "model": "third"}).status_code == 200
    assert acme.organization.audit_actions().count("price.added") == 2


def test_only_an_administrator_imports(acme: Any, problem: Problem) -> None:
    body = {"prices": [NEW]}
    problem(acme.post("/prices/import", body, scopes=["analytics:read"]), 403, "scope_missing")


def test_another_organizations_book_is_not_touched(acme: Any, globex: Any) -> None:
    send(globex, NEW)
    assert results(send(acme, NEW, dry_run=True)) == [("claude-next-6", "added")]
