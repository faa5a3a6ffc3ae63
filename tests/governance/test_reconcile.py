"""`usher reconcile` and its weekly run: nothing to find, unless somebody wrote past the services."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Update, bindparam, delete, select, update

from app.audit.models import outbox_messages
from app.audit.outbox import Outbox
from app.cli import cli
from app.core.clock import rfc3339
from app.core.tenancy import ORG_ID
from app.deliveries import DELIVERIES
from app.directory.models import principals
from app.governance import entitlements
from app.governance.drift import DriftService
from app.governance.models import reconciliations, seat_pools, seats
from app.governance.reconciliation import DRIFTED, EVERY, Reconciliation
from app.settings import Settings
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


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


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


def counters(**pairs: tuple[int, int]) -> dict[str, dict[str, int]]:
    """All three of the pool, as stored and expected; those left out are 0."""
    names = ("assigned", "kept", "over_assigned")
    return {name: dict(zip(("stored", "expected"), pairs.get(name, (0, 0)), strict=True)) for name in names}


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
        ("bob", of_principal(lapses_at=LONG_AGO), {"lapses_at"}),
        ("cleo", of_seat(waiting_rank=7), {"seat.waiting_rank"}),
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
    assert (result.exit_code, told(result)["seat_pool"]) == (0, counters(assigned=(2, 1)))
    assert told(run(acme, "--dry-run"))["found"] == 0
    assigned = json_of(acme.api.get("/seat_pool"))["assigned"]
    assert assigned == 2


def test_a_wrong_counter_is_counted_again(acme: Organization, company: dict[str, str], run: Run) -> None:
    corrupt(acme, update(seat_pools).where(seat_pools.c.org_id == ORG_ID).values(assigned=0))
    found = run(acme, "--dry-run")
    assert (found.exit_code, told(found)["seat_pool"]) == (3, counters(assigned=(0, 2)))
    assert run(acme).exit_code == 0
    assert json_of(acme.api.get("/seat_pool"))["assigned"] == 2
    assert told(run(acme, "--dry-run"))["found"] == 0


def test_more_seats_than_the_pool_has_are_told_and_nobody_is_evicted(
    acme: Organization, company: dict[str, str], run: Run
) -> None:
    corrupt(acme, of_seat(state="assigned"), who=company["cleo"])
    result = run(acme)
    shown = counters(assigned=(2, 3), over_assigned=(0, 1))
    assert (result.exit_code, told(result)["seat_pool"]) == (3, shown)
    assert acme.seat_state(company["bob"]) == "assigned"


def test_kept_places_and_what_an_ended_contract_left_are_no_drift(
    acme: Organization, run: Run, clock: FakeClock
) -> None:
    clock.stop()
    people = [acme.scim.create_user() for _ in range(13)]
    acme.map_group(acme.scim.create_group(members=people))
    today = clock.now().date()
    contracts = [
        {"quantity": 8, "starts_on": str(today)},
        {"quantity": 4, "starts_on": str(today), "ends_on": str(today)},
    ]
    acme.api.delete(f"/group_mappings/{json_of(acme.api.get('/group_mappings'))['data'][0]['id']}")
    acme.api.put("/seat_pool", {"contracts": contracts})
    acme.map_group(acme.scim.create_group(members=people))
    # Twelve have a seat and the last one waits; eleven leave in masses, some of whose places are kept.
    clock.advance(days=1)
    acme.work()
    for person in people[:9]:
        acme.scim.set_active(person, False)
    pool = json_of(acme.api.get("/seat_pool"))
    result = run(acme, "--dry-run")
    assert (result.exit_code, told(result)["seat_pool"]) == (0, None), (pool, result.output)
    corrupt(acme, update(seat_pools).where(seat_pools.c.org_id == ORG_ID).values(assigned=0, kept=0))
    assert run(acme).exit_code == 0
    assert json_of(acme.api.get("/seat_pool")) == pool


def test_what_is_held_is_no_drift(acme: Organization, run: Run) -> None:
    people = [acme.scim.create_user() for _ in range(10)]
    group = acme.scim.create_group(members=people)
    acme.map_group(group)
    acme.scim.remove_members(group, *people)
    assert json_of(acme.api.get("/held_changes"))["data"][0]["people"] == 10
    result = run(acme, "--dry-run")
    assert (result.exit_code, told(result)["found"]) == (0, 0)


def test_people_of_a_running_job_are_no_drift(
    acme: Organization, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entitlements, "AT_ONCE", 1)
    people = [acme.scim.create_user() for _ in range(3)]
    acme.map_group(acme.scim.create_group(members=people))
    assert acme.seat_state(people[0]) is None
    for words in (("--dry-run",), ()):
        result = run(acme, *words)
        assert (result.exit_code, told(result)["found"]) == (0, 0)
    assert acme.seat_state(people[0]) is None


@pytest.mark.parametrize("boundary", ["effective_at", "expires_at"])
def test_a_mapping_whose_time_has_just_come_is_no_drift(
    acme: Organization, clock: FakeClock, boundary: str
) -> None:
    person = acme.scim.create_user()
    soon = rfc3339(clock.now() + timedelta(hours=1))
    acme.map_group(acme.scim.create_group(members=[person]), **{boundary: soon})
    assert drifted(acme, person) == []
    clock.advance(hours=2)
    assert drifted(acme, person) == []
    acme.work()
    assert drifted(acme, person) == []
    corrupt(acme, of_principal(seat_state="suspended"), who=person)
    assert drifted(acme, person) == [person]


def test_a_seat_by_sign_in_that_has_just_ended_is_no_drift(
    acme: Organization, company: dict[str, str]
) -> None:
    corrupt(acme, of_principal(jit_signed_in_at=LONG_AGO), who=company["bob"])
    assert drifted(acme, company["bob"]) == []
    acme.work()
    assert acme.seat_state(company["bob"]) == "released"
    assert drifted(acme, company["bob"]) == []


def drifted(acme: Organization, *people: str) -> list[str]:
    """Who of these is found at the moment of the application's clock."""
    with in_organization(acme.app, acme.id) as services:
        return [drift.user_id for drift in services.get(DriftService).find(people)]


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
