"""Small random directories: people, groups, roles and orders of mappings, by the services alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from hypothesis import strategies as st
from sqlalchemy import select

from app.core.tenancy import ORG_ID
from app.directory.groups import GroupService, MemberChange
from app.directory.models import principals
from app.directory.organizations import OrganizationService
from app.directory.users import UserService
from app.governance.mappings import MappingService, NewMapping
from app.governance.roles import RoleService
from app.governance.seat_pool import SeatPool
from app.governance.seats import SeatService
from app.wiring import Services
from tests.support.cast import create_organization, in_organization

ROLES: dict[str, dict[str, Any]] = {
    "engineer": {"surfaces": ["code"], "models": None, "denies": [], "seat": True},
    "writer": {"surfaces": ["chat"], "models": ["haiku"], "denies": ["code"], "seat": True},
    "viewer": {"surfaces": ["chat"], "models": [], "denies": [], "seat": False},
}
_OUTCOME = select(principals.c.user_id, principals.c.seat_state, principals.c.role_id).where(
    principals.c.org_id == ORG_ID
)
# Group, role, seat_on, and the hours in which it begins and ends.
Entry = tuple[int, str, str, int | None, int | None]


def orders(groups: int) -> st.SearchStrategy[list[Entry]]:
    entry = st.tuples(
        st.integers(0, groups - 1),
        st.sampled_from(sorted(ROLES)),
        st.sampled_from(["provision", "provision", "provision", "login"]),
        st.sampled_from([None, None, None, -2, 1]),
        st.sampled_from([None, None, None, -1, 2]),
    )
    return st.lists(entry, max_size=5, unique_by=lambda one: one[:2])


@dataclass
class Directory:
    """One organization; people and groups are named by their places."""

    app: Flask
    org_id: str
    people: Sequence[str]
    groups: Sequence[str]
    roles: dict[str, str]

    @contextmanager
    def services(self) -> Iterator[Services]:
        with in_organization(self.app, self.org_id) as services:
            yield services
            services.commit()

    def order(self, entries: Sequence[Entry]) -> list[NewMapping]:
        with self.services() as services:
            now = services.get(MappingService).now.replace(minute=0, second=0, microsecond=0)
        hours: dict[int | None, datetime | None] = {None: None}
        hours |= {hour: now + timedelta(hours=hour) for hour in (-2, -1, 1, 2)}
        return [
            NewMapping(self.groups[group], self.roles[role], seat_on, hours[begin], hours[end])
            for group, role, seat_on, begin, end in entries
        ]

    def outcome(self) -> dict[str, tuple[str | None, str | None]]:
        """Seat state and role of everybody."""
        with in_organization(self.app, self.org_id, write=False) as services:
            return {row.user_id: (row.seat_state, row.role_id) for row in services.uow.execute(_OUTCOME)}

    def build(self, edit: dict[str, Any]) -> None:
        """Members, pool, manual seats and the first order, as `edit` says by places."""
        order = self.order(edit["before"])
        with self.services() as services:
            services.get(OrganizationService).update({"rights_mode": edit["mode"]})
            services.get(SeatPool).resize(edit["quantity"])
            for group_id, members in zip(self.groups, edit["members"], strict=True):
                self.change_members(services, group_id, MemberChange(add=[self.people[m] for m in members]))
            services.settle()
            for place in sorted(edit["manual"]):
                services.get(SeatService).give(self.people[place], self.roles["writer"], None)
            mappings = services.get(MappingService)
            mappings.replace(order, mappings.version())
            services.settle()
        states = self.outcome()
        with self.services() as services:
            for place in sorted(edit["suspended"]):
                if states[self.people[place]][0] == "assigned":
                    services.get(SeatService).suspend(self.people[place], suspended=True, reason=None)
            for place in sorted(edit["inactive"]):
                self.set_active(services, self.people[place], active=False)

    @staticmethod
    def change_members(services: Services, group_id: str, change: MemberChange) -> None:
        groups = services.get(GroupService)
        groups.update(groups.lock(group_id), members=change)

    @staticmethod
    def set_active(services: Services, user_id: str, *, active: bool) -> None:
        users = services.get(UserService)
        user = users.lock(user_id)
        if active:
            users.unblock(user)
        else:
            users.block(user)


def new_directory(app: Flask, people: int, groups: int) -> Directory:
    org_id = create_organization(app).id
    with in_organization(app, org_id) as services:
        users, roles = services.get(UserService), services.get(RoleService)
        made = [users.create({"userName": f"person{place}"}, active=True).id for place in range(people)]
        grouped = [
            services.get(GroupService).create({"displayName": f"group{place}"}, ()) for place in range(groups)
        ]
        role_ids = {
            name: roles.create({"name": name, "permissions": [], **rights}, {"monthly": place}).row.id
            for place, (name, rights) in enumerate(sorted(ROLES.items()))
        }
        services.commit()
    return Directory(app, org_id, made, grouped, role_ids)
