"""The steps on SQLite and the functions on PostgreSQL decide alike, call for call."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from app import create_app
from app.settings import Settings
from app.wiring import Environment
from tests.support.cast import create_organization, json_of
from tests.support.databases import KINDS
from tests.support.fakes import FakeClock
from tests.support.till import Till

PEOPLE = 2
AMOUNTS = ("0.001", "0.01", "0.02", "0.05")
WINDOWS = ("five_hour", "daily", "monthly")
Step = tuple[Any, ...]

person = st.integers(0, PEOPLE - 1)
amount = st.sampled_from(AMOUNTS)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), person, amount),
        st.tuples(st.just("ask"), person, amount),
        st.tuples(st.just("settle"), st.integers(0, 5), amount),
        st.tuples(st.just("void"), st.integers(0, 5)),
        st.tuples(
            st.just("user"), person, amount, st.sampled_from(WINDOWS), st.sampled_from(("hard", "soft"))
        ),
        st.tuples(st.just("pool"), amount, st.sampled_from(WINDOWS)),
        st.tuples(st.just("organization"), amount, st.sampled_from(WINDOWS)),
        st.tuples(st.just("active"), person, st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from((10, 20, 300, 1_440))),
    ),
    min_size=5,
    max_size=25,
)


class World:
    """One organization on one database, whose answers are written down without their ids and times."""

    def __init__(self, app: Flask, clock: FakeClock) -> None:
        self.till = Till(create_organization(app))
        self.clock = clock
        self.people = []
        for _ in range(PEOPLE):
            user_id, self.group_id = self.till.hire()
            self.people.append(user_id)
        for user_id in self.people[:-1]:
            self.till.organization.scim.add_members(self.group_id, user_id)
        self.made: list[str] = []

    def take(self, step: Step) -> Any:
        kind, *rest = step
        answer: Any = getattr(self, f"_{kind}")(*rest)
        return answer

    def _ask(self, who: int, cost: str) -> Any:
        response = self.till.ask(self.people[who], max_cost_usd=cost)
        body = json_of(response)
        if response.status_code == 201:
            self.made.append(body["id"])
            return 201, body["reserved_usd"], [_plain(limit) for limit in body["limits"]]
        shown = ("code", "window", "resets_at", "remaining_usd")
        return response.status_code, [body.get(name) for name in shown]

    def _settle(self, number: int, cost: str) -> Any:
        return self._end(number, "settle", {"cost_usd": cost})

    def _void(self, number: int) -> Any:
        return self._end(number, "void", None)

    def _end(self, number: int, how: str, body: Any) -> Any:
        if not self.made:
            return None
        path = f"/authorizations/{self.made[number % len(self.made)]}/{how}"
        answer = json_of(response := self.till.gateway.post(path, body))
        return response.status_code, answer.get("state"), answer.get("code"), answer.get("settled_usd")

    def _user(self, who: int, cost: str, window: str, mode: str) -> None:
        self.till.limit("user", self.people[who], cost, window=window, mode=mode)

    def _pool(self, cost: str, window: str) -> None:
        self.till.limit("group", self.group_id, cost, window=window, pool=True)

    def _organization(self, cost: str, window: str) -> None:
        self.till.limit_everybody(cost, window=window)

    def _active(self, who: int, active: bool) -> None:
        self.till.organization.scim.set_active(self.people[who], active)

    def _wait(self, _minutes: int) -> None:
        while self.till.organization.work():
            pass

    def end(self) -> Any:
        told = json_of(self.till.api.get("/audit/events?limit=1000&action=spend_limit.threshold_reached"))
        levels = [(row["data"]["window"], row["data"]["percent"]) for row in told["data"]]
        assert self.till.differences() == []
        return levels, [[_plain(row) for row in self.till.effective(user_id)] for user_id in self.people]


def _plain(limit: Any) -> list[Any]:
    names = ("window", "source", "pool", "amount_usd", "settled_usd", "reserved_usd", "resets_at")
    return [limit[name] for name in names]


@pytest.fixture(scope="module")
def stopped() -> FakeClock:
    clock = FakeClock()
    clock.stop()
    return clock


@pytest.fixture(scope="module")
def apps(migrated_database: Callable[[str], Settings], stopped: FakeClock) -> Iterator[list[Flask]]:
    made = [create_app(migrated_database(kind), Environment(clock=stopped)) for kind in KINDS]
    yield made
    for app in made:
        app.extensions["usher"].database.dispose()


def test_both_databases_decide_alike(apps: list[Flask], stopped: FakeClock, chaos: bool) -> None:
    @settings(max_examples=300 if chaos else 8)
    @given(steps)
    def compare(taken: list[Step]) -> None:
        worlds = [World(app, stopped) for app in apps]
        for step in taken:
            if step[0] == "wait":
                stopped.advance(seconds=timedelta(minutes=step[1]).total_seconds())
            first, second = (world.take(step) for world in worlds)
            assert first == second, step
        first, second = (world.end() for world in worlds)
        assert first == second

    compare()
