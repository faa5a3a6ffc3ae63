"""`/prices`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.core.clock import rfc3339
from tests.support.fakes import FakeClock

Problem = Callable[..., dict[str, Any]]
NEW = {
    "model": "claude-next-6",
    "input_per_million_usd": "3",
    "output_per_million_usd": "15",
    "cache_read_per_million_usd": "0.30",
    "cache_write_5m_per_million_usd": "3.75",
    "cache_write_1h_per_million_usd": "6",
}


def test_the_book_begins_with_the_public_prices(acme: Any) -> None:
    listed = acme.get("/prices?limit=100", scopes=["analytics:read"]).json["data"]
    assert len({row["model"] for row in listed}) == 7
    haiku = [row for row in listed if row["model"] == "claude-haiku-5-5"]
    assert [
        (row["above_prompt_tokens"], row["input_per_million_usd"], row["cache_write_5m_per_million_usd"])
        for row in haiku
    ] == [(0, "0.1", "0.125"), (100_000, "0.5", "0.625")]


def test_a_price_is_added_and_shown(acme: Any) -> None:
    made = acme.post("/prices", NEW)
    assert made.status_code == 201
    assert {name: made.json[name] for name in NEW} == {**NEW, "cache_read_per_million_usd": "0.3"}
    assert (made.json["type"], made.json["batch_percent"]) == ("price", 50)
    assert acme.get(f"/prices/{made.json['id']}").json == made.json
    assert acme.get("/prices?model=claude-next-6").json["data"] == [made.json]


def test_a_price_begins_now_or_later_and_once(acme: Any, clock: FakeClock, problem: Problem) -> None:
    clock.stop()
    later = rfc3339(clock.now() + timedelta(days=1))
    assert acme.post("/prices", {**NEW, "starts_at": later}).json["starts_at"] == later
    problem(acme.post("/prices", {**NEW, "starts_at": later}), 409, "price_exists")
    past = rfc3339(clock.now() - timedelta(seconds=1))
    problem(acme.post("/prices", {**NEW, "starts_at": past}), 400, "invalid_request")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input_per_million_usd", "0.0000001"),
        ("input_per_million_usd", "100001"),
        ("input_per_million_usd", 3),
        ("model", " "),
        ("batch_percent", 101),
        ("above_prompt_tokens", -1),
        ("starts_at", "2030-01-01"),
        ("colour", "red"),
    ],
)
def test_each_bad_field_is_named(acme: Any, problem: Problem, field: str, value: object) -> None:
    body = problem(acme.post("/prices", {**NEW, field: value}), 400, "invalid_request")
    assert body["detail"].startswith(field)


def test_another_organizations_prices_are_not_there(acme: Any, globex: Any, problem: Problem) -> None:
    problem(acme.get(f"/prices/{globex.post('/prices', NEW).json['id']}"), 404, "price_not_found")
