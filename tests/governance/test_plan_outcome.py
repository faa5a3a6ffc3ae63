"""P7 over random directories: what a plan says of each person is what applying it does."""

from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from app.governance import entitlements, seat_pool
from app.governance.job_steps import JobSteps
from app.governance.plans import PlanService
from tests.governance.directories import Directory, new_directory, orders

PEOPLE, GROUPS = 6, 4


@st.composite
def edits(draw: st.DrawFn) -> dict[str, Any]:
    """A directory with an order, a pool and manual seats, and the order that is to replace it."""
    people = st.integers(0, PEOPLE - 1)
    return {
        "members": [draw(st.sets(people)) for _ in range(GROUPS)],
        "quantity": draw(st.sampled_from([None, None, 0, 1, 2, 4])),
        "manual": draw(st.sets(people, max_size=2)),
        "suspended": draw(st.sets(people, max_size=2)),
        "inactive": draw(st.sets(people, max_size=2)),
        "mode": draw(st.sampled_from(["union", "first"])),
        "before": draw(orders(GROUPS)),
        "after": draw(orders(GROUPS)),
        "at_once": draw(st.sampled_from([0, 2, 5_000])),
    }


def finish_jobs(directory: Directory) -> None:
    for _ in range(50):
        with directory.services() as services:
            more = services.get(JobSteps).has_work()
            if more:
                services.get(JobSteps).step()
        if not more:
            return
    raise AssertionError("the job does not end")


def set_at_once(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """What is measured in thousands is shown with a few people."""
    for module in (entitlements, seat_pool):
        monkeypatch.setattr(module, "AT_ONCE", count)


def check(directory: Directory, edit: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    set_at_once(monkeypatch, 5_000)
    directory.build(edit)
    set_at_once(monkeypatch, edit["at_once"])
    before = directory.outcome()
    wanted = directory.order(edit["after"])
    with directory.services() as services:
        plan = services.get(PlanService).plan(wanted)
    assert directory.outcome() == before
    with directory.services() as services:
        services.get(PlanService).apply(wanted, plan.hash)
    finish_jobs(directory)
    planned = {row.user_id: (row.state_after, row.role_after) for row in plan.rows}
    assert directory.outcome() == before | planned
    assert {row.user_id: (row.state_before, row.role_before) for row in plan.rows} == {
        user_id: before[user_id] for user_id in planned
    }


def test_a_plan_equals_its_outcome(app: Flask, chaos: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    @examples(
        max_examples=2_000 if chaos else 100,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(edit=edits())
    def run(edit: dict[str, Any]) -> None:
        check(new_directory(app, PEOPLE, GROUPS), edit, monkeypatch)

    run()
