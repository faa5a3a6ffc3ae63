"""P1 and P2 for money: nothing is authorized after the answer, and no hard limit is ever passed."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core.database import POOL_SIZE
from app.core.ids import edge_id
from app.core.tenancy import ORG_ID
from app.spend.check import Found, SpendCheck
from app.spend.models import reservations, spend_counters
from tests.support.cast import Organization, in_organization, json_of

# Of one thread, should nothing ever refuse it.
MAX_CALLS = 100


def hire(acme: Organization, *, group_id: str | None = None) -> str:
    user_id = acme.scim.create_user()
    if group_id is None:
        acme.map_group(acme.scim.create_group(members=[user_id]), "member")
    else:
        acme.scim.add_members(group_id, user_id)
    return user_id


def set_limit(acme: Organization, type_: str, id_: str, amount: str, **fields: Any) -> None:
    prefix = {"user": "user", "group": "group", "organization": "org"}[type_]
    scope = {"type": type_, "id": edge_id(prefix, id_)}
    body = {"scope": scope, "window": "monthly", "amount_usd": amount, **fields}
    assert acme.api.post("/spend_limits", body).status_code == 201


def ask(acme: Organization, user_id: str, cost: str = "0.01") -> Any:
    body = {
        "user": {"id": edge_id("user", user_id)},
        "surface": "code",
        "model": "claude-sonnet-4-6",
        "max_cost_usd": cost,
    }
    return acme.api_with("spend:authorize").post("/authorizations", body)


def states(acme: Organization) -> dict[str, int]:
    """How many authorizations there are in each state."""
    state = reservations.c.state
    query = select(state, func.count()).where(reservations.c.org_id == ORG_ID).group_by(state)
    with in_organization(acme.app, acme.id, write=False) as services:
        return dict(services.uow.execute(query).all())


def is_exact(acme: Organization) -> bool:
    with in_organization(acme.app, acme.id, write=False) as services:
        found: Found = services.get(SpendCheck).verify()
    assert found.differences == []
    return found.counters > 0


def keep_asking(acme: Organization, user_id: str) -> set[int]:
    """Ask until refused; answers the statuses that came."""
    seen = set()
    for _ in range(MAX_CALLS):
        seen.add(ask(acme, user_id).status_code)
        if seen != {201}:
            break
    return seen


@pytest.fixture
def rounds(chaos: bool, acme: Organization) -> int:
    long = 200 if acme.container.database.dialect == "postgresql" else 50
    return long if chaos else 5


def leave_by_patch(acme: Organization, user_id: str, _: str) -> Any:
    return acme.scim.set_active(user_id, False)


def leave_by_group(acme: Organization, user_id: str, group_id: str) -> Any:
    return acme.scim.remove_members(group_id, user_id)


@pytest.mark.parametrize("leave", [leave_by_patch, leave_by_group], ids=["patch", "group"])
def test_nothing_is_authorized_after_the_answer(
    acme: Organization, leave: Any, rounds: int, chaos: bool
) -> None:
    # So many who leave one after the other would be held as a mass removal.
    acme.api.patch("/organization", {"removal_guard": {"enabled": False}})
    group_id = acme.scim.create_group()
    acme.map_group(group_id, "member")
    acme.api_with("spend:authorize")
    threads = 64 if chaos else 12
    for _ in range(rounds):
        user_id = hire(acme, group_id=group_id)
        with ThreadPoolExecutor(threads) as pool:
            asking = [pool.submit(keep_asking, acme, user_id) for _ in range(threads)]
            left = leave(acme, user_id, group_id)
            at_the_answer = sum(states(acme).values())
            after = ask(acme, user_id)
            answers = set[int]().union(*(one.result() for one in asking))
        assert left.status_code in (200, 204)
        assert (after.status_code, answers | {201, 403}) == (403, {201, 403})
        # An authorization behind the deprovision would have been missed by it, and be open.
        now = states(acme)
        assert sum(now.values()) == at_the_answer
        assert "open" not in now
        rows = json_of(acme.api.get(f"/spend_limits/effective?user_id={edge_id('user', user_id)}"))["data"]
        assert {(row["amount_usd"], row["source"]) for row in rows} == {("0", "deprovisioned")}
    assert is_exact(acme)


def test_no_hard_limit_is_passed_whoever_asks_at_once(acme: Organization, chaos: bool) -> None:
    """Every counter is looked at while the storm lasts, and adds up after it."""
    group_id = acme.scim.create_group()
    acme.map_group(group_id, "member")
    people = [hire(acme, group_id=group_id) for _ in range(4)]
    for user_id in people:
        set_limit(acme, "user", user_id, "0.25")
    set_limit(acme, "group", group_id, "0.8", pool=True)
    set_limit(acme, "organization", acme.id, "0.6")
    gateway = acme.api_with("spend:authorize")
    calls = 2_000 if chaos else 25

    def work(seed: int) -> set[int]:
        chosen = random.Random(seed)
        seen = set()
        for _ in range(calls):
            response = ask(acme, chosen.choice(people), f"0.{chosen.randint(1, 40):03}")
            seen.add(response.status_code)
            if response.status_code == 201 and chosen.random() < 0.8:
                made = json_of(response)
                if chosen.random() < 0.5:
                    seen.add(gateway.post(f"/authorizations/{made['id']}/void").status_code)
                else:
                    body = {"cost_usd": made["reserved_usd"] if chosen.random() < 0.3 else "0.0001"}
                    seen.add(gateway.post(f"/authorizations/{made['id']}/settle", body).status_code)
        return seen

    def passed_limits() -> list[Any]:
        query = select(spend_counters.c.scope_type).where(
            spend_counters.c.org_id == ORG_ID,
            spend_counters.c.settled_nanousd + spend_counters.c.reserved_nanousd
            > spend_counters.c.limit_nanousd,
        )
        with in_organization(acme.app, acme.id, write=False) as services:
            return list(services.uow.execute(query).scalars())

    # The look needs a connection as well, and the pool has no line in which to stand for one.
    with ThreadPoolExecutor(POOL_SIZE - 1) as threads:
        working = [threads.submit(work, seed) for seed in range(16)]
        while not all(one.done() for one in working):
            assert passed_limits() == []
        seen = set[int]().union(*(one.result() for one in working))
    assert seen == {200, 201, 402}
    assert passed_limits() == []
    assert is_exact(acme)


@pytest.mark.parametrize(("policy", "revoked"), [("finish", False), ("cut", True)])
def test_what_runs_when_somebody_leaves_can_only_come_to_its_end(
    acme: Organization, policy: str, revoked: bool
) -> None:
    acme.api.patch("/organization", {"inflight_policy": policy})
    user_id = hire(acme)
    gateway = acme.api_with("spend:authorize")
    settled, voided = (json_of(ask(acme, user_id))["id"] for _ in range(2))
    acme.scim.set_active(user_id, False)
    shown = json_of(gateway.get(f"/authorizations/{settled}"))
    assert (shown["state"], shown["revoked"]) == ("closing", revoked)
    extended = gateway.post(f"/authorizations/{settled}/extend")
    assert (extended.status_code, json_of(extended)["code"]) == (409, "authorization_closing")
    assert gateway.post(f"/authorizations/{settled}/settle", {"cost_usd": "0.005"}).status_code == 200
    assert gateway.post(f"/authorizations/{settled}/settle", {"cost_usd": "0.006"}).status_code == 409
    assert gateway.post(f"/authorizations/{voided}/void").status_code == 200
    assert is_exact(acme)


def test_suspending_a_seat_closes_what_runs_and_resuming_allows_again(acme: Organization) -> None:
    user_id = hire(acme)
    made = json_of(ask(acme, user_id))
    path = f"/seats/{edge_id('user', user_id)}"
    acme.api.patch(path, {"suspended": True, "reason": "audit"})
    assert (
        json_of(acme.api_with("spend:authorize").get(f"/authorizations/{made['id']}"))["state"] == "closing"
    )
    assert json_of(ask(acme, user_id))["code"] == "no_seat"
    acme.api.patch(path, {"suspended": False, "reason": None})
    assert ask(acme, user_id).status_code == 201


def test_leaving_and_coming_back_resets_nothing(acme: Organization) -> None:
    user_id = hire(acme)
    name = json_of(acme.scim.get(f"/Users/{user_id}"))["userName"]
    set_limit(acme, "user", user_id, "0.015")
    made = json_of(ask(acme, user_id))
    acme.api_with("spend:authorize").post(f"/authorizations/{made['id']}/settle", {"cost_usd": "0.01"})
    acme.scim.set_active(user_id, False)
    acme.scim.set_active(user_id, True)
    assert json_of(ask(acme, user_id))["code"] == "spend_limit_reached"
    acme.scim.delete(f"/Users/{user_id}")
    again = acme.scim.create_user(name)
    acme.map_group(acme.scim.create_group(members=[again]), "member")
    refusal = json_of(ask(acme, again))
    assert (refusal["code"], refusal["remaining_usd"]) == ("spend_limit_reached", "0.005")
    assert refusal["scope"] == {"type": "user", "id": edge_id("user", again)}
