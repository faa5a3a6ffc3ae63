"""The limits that hold for one person, each with where it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.unit_of_work import UnitOfWork
from app.directory.organizations import OrganizationService
from app.directory.queries import DirectoryQueries
from app.governance.models import WINDOWS
from app.governance.roles import RoleService
from app.governance.windows import resets_at


@dataclass(frozen=True, slots=True)
class EffectiveLimit:
    """`source` is `role`, or `deprovisioned` when the person may spend nothing at all."""

    window: str
    amount_nanousd: int
    source: str
    resets_at: datetime | None


class LimitService:
    def __init__(
        self,
        uow: UnitOfWork,
        directory: DirectoryQueries,
        roles: RoleService,
        organizations: OrganizationService,
    ) -> None:
        self._uow = uow
        self._directory = directory
        self._roles = roles
        self._organizations = organizations

    def effective(self, user_id: str) -> Sequence[EffectiveLimit]:
        """One row for each window that has a cap; inactive or seatless people have four zeros."""
        person = self._directory.person(user_id)
        zone = self._organizations.current().zone
        if person.active and person.seat_state == "assigned":
            amounts = self._roles.limits_of(person.role_id)
            source = "role"
        else:
            amounts = dict.fromkeys(WINDOWS, 0)
            source = "deprovisioned"
        return [
            EffectiveLimit(window, amounts[window], source, resets_at(window, self._uow.now, zone))
            for window in WINDOWS
            if window in amounts
        ]
