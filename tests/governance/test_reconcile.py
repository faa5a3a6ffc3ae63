"""`usher reconcile` and its weekly run: nothing to find, unless somebody wrote past the services."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Update, bindparam, delete, select, update

from app.audit.models import outbox_messages
from app.audit.outbox import Outbox
from app.cli import cli
from app.core.tenancy import ORG_ID
from app.directory.models import principals
from app.governance.models import reconciliations, seat_pools, seats
from app.governance.reconciliation import DRIFTED, EVERY, Reconciliation
from app.settings import Settings
from app.wiring import DELIVERIES
from tests.support.cast import Organization, in_organization, json_of
from tests.support.databases import SECRET_KEY
from tests.support.fakes import FakeClock

Run = Callable[..., Result]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("USHER_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("USHER_SECRET_KEY", SECRET_KEY)

    def invoke(organization: Organization, *words: str) -> Result:
        return CliRunner().invoke(cli, ["reconcile", "--org", organization.slug, "--json", *words])

    return invoke


def told(result: Result) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(result.output)
    return report


def corrupt(acme: Organization, statement: Any, **values: Any) -> None:
    with in_organization(acme.app, acme.id) as services:
        services.uow.execute(statement, values)
        services.commit()


def of_principal(**values: Any) -> Update:
    return (
        update(principals)
        .where(principals.c.org_id == ORG_ID, principals.c.user_id == bindparam("who"))
        .values(**values)
    )


def of_seat(**values: Any) -> Update:
    return update(seats).where(seats.c.org_id == ORG_ID, seats.c.user_id == bindparam("who")).values(**values)


@pytest.fixture
def company(acme: Organization) -> dict[str, str]:
    """People in every state, in a pool of two places."""
    acme.api.put("/seat_pool", {"quantity": 2})
    names = ("ada", "bob", "cleo", "dan", "eve", "fay")
    people = {name: acme.scim.create_user(f"{name}@example.com") for name in names}
    group = acme.scim.create_group(members=[people[name] for name in ("ada", "bob", "cleo", "dan")])
    acme.map_group(group)
    acme.scim.set_active(people["dan"], False)
    acme.api.post("/seats", {"user_id": f"user_{people['eve']}", "role_id": acme.role_id("member")})
    acme.api.patch(f"/seats/user_{people['ada']}", {"suspended": True, "reason": "x"})
    gone = acme.scim.create_user("gone@example.com")
    acme.scim.add_members(group, gone)
    acme.scim.delete(f"/Users/{gone}")
    return people


def states(acme: Organization, people: dict[str, str]) -> dict[str, str | None]:
    return {name: acme.seat_state(id_) for name, id_ in people.items()}


def seat(acme: Organization, user_id: str) -> dict[str, Any] | None:
    response = acme.api.get(f"/seats/user_{user_id}")
    shown: dict[str, Any] | None = json_of(response) if response.status_code == 200 else None
    return shown


def test_there_is_nothing_to_do(acme: Organization, company: dict[str, str], run: Run) -> None:
    for words in (("--dry-run",), ()):
        result = run(acme, *words)
        assert result.exit_code == 0, result.output
        report = told(result)
        assert (report["checked"], report["found"], report["repaired"]) == (7, 0, 0)
        assert (report["seat_pool"], report["people"]) == (None, [])
    assert "reconciliation.repaired" not in acme.audit_actions()


@pytest.mark.parametrize(
    "case",
    [
        ("bob", of_principal(seat_state="released"), {"seat_state"}),
        ("bob", of_principal(role_id=None, surfaces=[]), {"role_id", "surfaces"}),
        ("ada", of_principal(seat_state="assigned"), {"seat_state"}),
        ("cleo", of_principal(seat_state="assigned"), {"seat_state"}),
        (
            "fay",
            of_principal(seat_state="assigned", permissions=["admin.audit.view"]),
            {"seat_state", "permissions"},
        ),
        ("dan", of_principal(seat_state="assigned"), {"seat_state"}),
        ("bob", of_seat(surfaces=["chat"], sources=[]), {"seat.surfaces", "seat.sources"}),
        ("bob", of_seat(role_id=None), {"seat.role_id"}),
    ],
)
def test_a_corrupted_row_is_found_and_mended(
    acme: Organization, company: dict[str, str], run: Run, case: tuple[str, Update, set[str]]
) -> None:
    who, statement, fields = case
    before = states(acme, company)
    seat_before = seat(acme, company[who])
    corrupt(acme, statement, who=company[who])
    found = run(acme, "--dry-run")
    assert (found.exit_code, told(found)["found"], told(found)["repaired"]) == (3, 1, 0)
    (person,) = told(found)["people"]
    assert person["user_id"] == f"user_{company[who]}"
    assert set(person["fields"]) == fields
    mended = run(acme)
    assert (mended.exit_code, told(mended)["repaired"]) == (0, 1)
    assert states(acme, company) == before
    assert seat(acme, company[who]) == seat_before
    again = run(acme, "--dry-run")
    assert (again.exit_code, told(again)["found"]) == (0, 0)
    assert acme.audit_actions().count("reconciliation.repaired") == 1


def test_a_lost_seat_row_is_written_again(acme: Organization, company: dict[str, str], run: Run) -> None:
    corrupt(
        acme,
        delete(seats).where(seats.c.org_id == ORG_ID, seats.c.user_id == bindparam("who")),
        who=company["bob"],
    )
    result = run(acme)
    # The counter had counted the lost row, so it is mended as well, and whoever waited may be first.
    assert (result.exit_code, told(result)["seat_pool"]) == (0, {"stored": 2, "expected": 1})
    assert told(run(acme, "--dry-run"))["found"] == 0
    assigned = json_of(acme.api.get("/seat_pool"))["assigned"]
    assert assigned == 2


def test_a_wrong_counter_is_counted_again(acme: Organization, company: dict[str, str], run: Run) -> None:
    corrupt(acme, update(seat_pools).where(seat_pools.c.org_id == ORG_ID).values(assigned=0))
    found = run(acme, "--dry-run")
    assert (found.exit_code, told(found)["seat_pool"]) == (3, {"stored": 0, "expected": 2})
    assert run(acme).exit_code == 0
    assert json_of(acme.api.get("/seat_pool"))["assigned"] == 2
    assert told(run(acme, "--dry-run"))["found"] == 0


def test_more_seats_than_the_pool_has_are_told_and_nobody_is_evicted(
    acme: Organization, company: dict[str, str], run: Run
) -> None:
    corrupt(acme, of_seat(state="assigned"), who=company["cleo"])
    result = run(acme)
    assert (result.exit_code, told(result)["seat_pool"]) == (3, {"stored": 2, "expected": 3})
    assert acme.seat_state(company["bob"]) == "assigned"


def test_an_unknown_organization_is_refused(acme: Organization, run: Run) -> None:
    result = CliRunner().invoke(cli, ["reconcile", "--org", "nothing", "--dry-run"])
    assert result.exit_code == 1
    assert "no organization" in str(result.exception)


def step(acme: Organization) -> bool:
    with in_organization(acme.app, acme.id) as services:
        more: bool = services.get(Reconciliation).step()
        services.commit()
    return more


def is_due(acme: Organization) -> bool:
    with in_organization(acme.app, acme.id, write=False) as services:
        due: bool = services.get(Reconciliation).is_due()
    return due


def alarms(acme: Organization) -> list[Any]:
    query = select(outbox_messages.c.payload).where(
        outbox_messages.c.org_id == ORG_ID, outbox_messages.c.kind == DRIFTED
    )
    with in_organization(acme.app, acme.id, write=False) as services:
        payloads: list[Any] = services.uow.execute(query).scalars()
    return payloads


def test_the_weekly_run_is_due_a_week_after_the_last_and_finds_nothing(
    acme: Organization, company: dict[str, str], clock: FakeClock
) -> None:
    assert not is_due(acme)
    assert step(acme) is False
    clock.advance(seconds=EVERY.total_seconds())
    assert is_due(acme)
    assert [step(acme), step(acme), step(acme)] == [True, False, False]
    assert not is_due(acme)
    with in_organization(acme.app, acme.id, write=False) as services:
        row = services.uow.execute(select(reconciliations).where(reconciliations.c.org_id == ORG_ID)).one()
    assert (row.checked, row.found, row.finished_at is None) == (7, 0, False)
    clock.advance(seconds=EVERY.total_seconds())
    assert is_due(acme)
    assert alarms(acme) == []


def test_the_weekly_run_raises_an_alarm_and_mends_nothing(
    acme: Organization, company: dict[str, str], clock: FakeClock
) -> None:
    corrupt(acme, of_principal(seat_state="released"), who=company["bob"])
    clock.advance(seconds=EVERY.total_seconds())
    while step(acme):
        pass
    assert alarms(acme) == [{"checked": 7, "found": 1}]
    assert acme.audit_actions()[-1] == "reconciliation.drifted"
    assert acme.seat_state(company["bob"]) == "released"
    with in_organization(acme.app, acme.id) as services:
        (message,) = [m for m in services.get(Outbox).claim() if m.kind == DRIFTED]
        DELIVERIES[DRIFTED](services, message.payload)


def test_a_killed_run_is_continued_where_it_was(
    acme: Organization, company: dict[str, str], clock: FakeClock
) -> None:
    clock.advance(seconds=EVERY.total_seconds())
    assert step(acme)
    # The next worker begins its step and dies before the commit.
    with in_organization(acme.app, acme.id) as services:
        services.get(Reconciliation).step()
    assert is_due(acme)
    assert step(acme) is False
    assert not is_due(acme)
