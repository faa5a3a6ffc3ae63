"""Rights follow from what is, never from the way there: any history ends where a fresh decision would."""

import random
from typing import Any

from flask import Flask
from sqlalchemy import select

from app.core.tenancy import ORG_ID
from app.directory.groups import MemberChange
from app.directory.models import memberships, principals
from app.directory.organizations import OrganizationService
from app.governance.mappings import MappingService
from app.governance.models import seats
from app.governance.policy import load_policy
from app.governance.resolver import NOTHING
from app.governance.roles import RoleService
from app.governance.schedule import entitle
from app.governance.seats import SeatService
from app.wiring import Services
from tests.governance.directories import ROLES, Directory, new_directory
from tests.support.cast import in_organization

PEOPLE, GROUPS, STEPS = 5, 3, 14


def random_order(rng: random.Random) -> list[Any]:
    pairs = [(group, role) for group in range(GROUPS) for role in sorted(ROLES)]
    return [
        (
            *pair,
            rng.choice(["provision", "login"]),
            rng.choice([None, None, -2, 1]),
            rng.choice([None, None, -1, 2]),
        )
        for pair in rng.sample(pairs, rng.randint(0, 4))
    ]


def event(directory: Directory, rng: random.Random) -> Any:
    """Something that can happen, any number of times: it names what is to be, not what is to change."""
    person, group = rng.choice(directory.people), rng.choice(directory.groups)
    kind = rng.randrange(6)
    if kind <= 1:
        return lambda s: directory.change_members(s, group, MemberChange(add=[person]))
    if kind == 2:
        return lambda s: directory.change_members(s, group, MemberChange(remove=[person]))
    if kind == 3:
        active = rng.random() < 0.6
        return lambda s: directory.set_active(s, person, active=active)
    if kind == 4:
        wanted = directory.order(random_order(rng))
        return lambda s: s.get(MappingService).replace(wanted, s.get(MappingService).version())
    role_id = directory.roles[rng.choice(sorted(ROLES))]
    change = {"surfaces": rng.sample(["code", "chat", "cowork"], 2), "seat": rng.random() < 0.7}
    mode = {"rights_mode": rng.choice(["union", "first"])}
    if rng.random() < 0.5:
        return lambda s: s.get(RoleService).update(role_id, change, None)
    return lambda s: s.get(OrganizationService).update(mode)


def expected(services: Services) -> dict[str, Any]:
    """What everybody has by what is stored now, decided from nothing."""
    uow, policy = services.uow, load_policy(services.uow)
    groups: dict[str, set[str]] = {}
    for row in uow.execute(select(memberships).where(memberships.c.org_id == ORG_ID)):
        groups.setdefault(row.user_id, set()).add(row.group_id)
    manual = {
        row.user_id: row.manual_role_id for row in uow.execute(select(seats).where(seats.c.org_id == ORG_ID))
    }
    found = {}
    for person in uow.execute(select(principals).where(principals.c.org_id == ORG_ID)):
        mine = frozenset(groups.get(person.user_id, ()))
        rights = entitle(policy, mine, manual.get(person.user_id)) if person.active else NOTHING
        found[person.user_id] = (
            rights.wants_seat,
            rights.role_id,
            list(rights.surfaces),
            None if rights.models is None else list(rights.models),
            list(rights.permissions),
            rights.lapses_at,
        )
    return found


def stored(services: Services) -> dict[str, Any]:
    return {
        person.user_id: (
            person.seat_state == "assigned",
            person.role_id,
            person.surfaces,
            person.models,
            person.permissions,
            person.lapses_at,
        )
        for person in services.uow.execute(select(principals).where(principals.c.org_id == ORG_ID))
    }


def test_any_history_ends_where_a_fresh_decision_would(app: Flask, chaos: bool) -> None:
    for seed in range(10_000 if chaos else 100):
        rng = random.Random(seed)
        directory = new_directory(app, PEOPLE, GROUPS)
        if rng.random() < 0.5:
            with directory.services() as services:
                services.get(SeatService).give(directory.people[0], directory.roles["writer"], None)
        for _ in range(STEPS):
            happening = event(directory, rng)
            # What is delivered twice, as connectors do, is done once.
            for _ in range(rng.choice([1, 1, 2])):
                with directory.services() as services:
                    happening(services)
        with in_organization(app, directory.org_id, write=False) as services:
            assert stored(services) == expected(services), f"seed {seed}"
