"""Spend limits: set, listed, deleted, and what of them holds for one person.

A change takes effect at the next decision, because whoever decides reads the limits anew. It must not
know what has been spent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    union_all,
    update,
)

from app.core.clock import rfc3339
from app.core.connection import Row
from app.core.database import Id
from app.core.errors import BadRequestError, NotFoundError
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import memberships, principals, users
from app.directory.organizations import OrganizationService
from app.directory.queries import DirectoryQueries
from app.governance.caps import Cap, Limit, resolve_caps
from app.governance.events import SpendLimitDeleted, SpendLimitSet
from app.governance.models import WINDOWS, spend_limits
from app.governance.windows import resets_at

_SHOWN = (
    select(spend_limits, principals.c.user_id)
    .select_from(
        spend_limits.outerjoin(
            principals,
            and_(
                principals.c.org_id == spend_limits.c.org_id,
                spend_limits.c.scope_type == "user",
                principals.c.id == spend_limits.c.scope_id,
            ),
        )
    )
    .where(
        spend_limits.c.org_id == ORG_ID,
        # Those of roles are edited with their role.
        spend_limits.c.scope_type != "role",
        or_(spend_limits.c.expires_at.is_(None), spend_limits.c.expires_at > bindparam("moment")),
    )
)
_BY_ID = _SHOWN.where(spend_limits.c.id == bindparam("id"))
_FILTERS = {
    "scope_type": spend_limits.c.scope_type == bindparam("scope_type"),
    "window": spend_limits.c.window == bindparam("window"),
    "user_id": principals.c.user_id == bindparam("user_id"),
    "group_id": and_(spend_limits.c.scope_type == "group", spend_limits.c.scope_id == bindparam("group_id")),
}
_SAME_SCOPE = (
    select(spend_limits)
    .where(
        spend_limits.c.org_id == ORG_ID,
        spend_limits.c.scope_type == bindparam("scope_type"),
        spend_limits.c.scope_id == bindparam("scope_id"),
        spend_limits.c.window == bindparam("window"),
    )
    .with_for_update()
)
_INSERT = insert(spend_limits)
_UPDATE = (
    update(spend_limits)
    .where(spend_limits.c.org_id == ORG_ID, spend_limits.c.id == bindparam("row_id"))
    .values({name: bindparam(f"new_{name}") for name in ("amount_nanousd", "mode", "pool", "expires_at")})
)
_DELETE = delete(spend_limits).where(
    spend_limits.c.org_id == ORG_ID, spend_limits.c.id == bindparam("row_id")
)
_of_scope = select(*(spend_limits.c[name] for name in Limit.__dataclass_fields__)).where(
    spend_limits.c.org_id == ORG_ID
)


def in_question(
    principal_id: ColumnElement[Any], role_id: ColumnElement[Any], user_id: ColumnElement[Any]
) -> CompoundSelect[Any]:
    """The limits of a person themselves, of their role, their groups and their organization.

    One part for each kind of scope, because a database finds each by the index and none by an OR of them.
    """
    of_groups = (
        select(memberships.c.group_id)
        .where(memberships.c.org_id == ORG_ID, memberships.c.user_id == user_id)
        .correlate(spend_limits, users)
    )
    parts = (
        and_(spend_limits.c.scope_type == "user", spend_limits.c.scope_id == principal_id),
        and_(spend_limits.c.scope_type == "role", spend_limits.c.scope_id == role_id),
        and_(spend_limits.c.scope_type == "group", spend_limits.c.scope_id.in_(of_groups)),
        and_(spend_limits.c.scope_type == "organization", spend_limits.c.scope_id == ORG_ID),
    )
    return union_all(*(_of_scope.where(part).correlate(principals, users) for part in parts))


_IN_QUESTION = in_question(*(bindparam(name, type_=Id) for name in ("principal_id", "role_id", "user_id")))


class Scope(NamedTuple):
    """`id` is a user's, a group's or the organization's own."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What is spent and reserved in the open window of a cap; `ends_at` is null when none is open."""

    settled_nanousd: int
    reserved_nanousd: int
    ends_at: datetime | None


class SpendReader(Protocol):
    """Who knows what was spent; `app.building` says who that is."""

    def standing(self, caps: Sequence[Cap]) -> Sequence[Standing]:
        """One for each cap."""


@dataclass(frozen=True, slots=True)
class EffectiveLimit:
    """One cap of one person; `resets_at` is null while no window of five hours is open.

    The source is `deprovisioned` when the person may spend nothing at all.
    """

    cap: Cap
    settled_nanousd: int
    reserved_nanousd: int
    resets_at: datetime | None


class LimitService:
    def __init__(
        self,
        uow: UnitOfWork,
        directory: DirectoryQueries,
        organizations: OrganizationService,
        spend: SpendReader,
    ) -> None:
        self._uow = uow
        self._directory = directory
        self._organizations = organizations
        self._spend = spend

    def effective(self, user_id: str) -> Sequence[EffectiveLimit]:
        """What holds for one living person; inactive or seatless people have four zeros."""
        person = self._directory.person(user_id)
        zone = self._organizations.current().zone
        caps = self._caps_of(person)
        return [
            EffectiveLimit(
                cap,
                standing.settled_nanousd,
                standing.reserved_nanousd,
                # An open window keeps its end when the zone changes.
                standing.ends_at or resets_at(cap.window, self._uow.now, zone),
            )
            for cap, standing in zip(caps, self._spend.standing(caps), strict=True)
        ]

    def _caps_of(self, person: Row) -> list[Cap]:
        if not person.active or person.seat_state != "assigned":
            return [
                Cap("user", person.principal_id, window, 0, "hard", "deprovisioned") for window in WINDOWS
            ]
        return self.caps(person.principal_id, person.role_id, person.id)

    def caps(self, principal_id: str, role_id: str | None, user_id: str) -> list[Cap]:
        """What holds for a seated person now."""
        values = {"principal_id": principal_id, "role_id": role_id, "user_id": user_id}
        limits = [Limit(*row) for row in self._uow.execute(_IN_QUESTION, values)]
        return resolve_caps(limits, principal_id, self._uow.now)

    def get(self, limit_id: str) -> Row:
        row = self._uow.execute(_BY_ID, {"id": limit_id, "moment": self._uow.now}).first()
        if row is None:
            raise _not_found(limit_id)
        return row

    def page(self, *, after: str, limit: int, filters: Mapping[str, str]) -> Sequence[Row]:
        """Up to `limit` limits in force of people, groups and the organization, with an id above `after`."""
        statement = (
            _SHOWN.where(spend_limits.c.id > bindparam("after"), *(_FILTERS[name] for name in filters))
            .order_by(spend_limits.c.id)
            .limit(limit)
        )
        return self._uow.execute(statement, {**filters, "after": after, "moment": self._uow.now}).all()

    def set(
        self,
        scope: Scope,
        window: str,
        amount_nanousd: int | None,
        *,
        mode: str = "hard",
        pool: bool = False,
        expires_at: datetime | None = None,
    ) -> Row:
        """Set the limit of a scope in a window; what was set before for both is replaced.

        One with an expiry lies over the standing limit instead, which holds again afterwards.
        """
        uow = self._uow
        if expires_at is not None and expires_at <= uow.now:
            raise BadRequestError("expires_at: Give a time in the future, or null for a standing limit.")
        stored = Scope(scope.type, self._stored_id(scope))
        values = {
            "amount_nanousd": amount_nanousd,
            "mode": mode,
            "pool": pool,
            "expires_at": expires_at,
        }
        found = {row.temporary: row for row in self._same_scope(stored, window)}
        is_temporary = expires_at is not None
        if True in found and not is_temporary:
            uow.execute(_DELETE, {"row_id": found[True].id})
        previous = found.get(is_temporary)
        limit_id = uow.ids.new() if previous is None else previous.id
        if previous is None:
            key = {"scope_type": stored.type, "scope_id": stored.id, "window": window}
            row = {**values, **key, "id": limit_id, "temporary": is_temporary, "created_at": uow.now}
            uow.execute(_INSERT, row)
        else:
            new = {f"new_{name}": value for name, value in values.items()}
            uow.execute(_UPDATE, {**new, "row_id": limit_id})
        data = {"window": window, **_said(amount_nanousd, mode, pool, expires_at)}
        uow.add(SpendLimitSet(*_target(scope), {**data, "previous": previous and _said_of(previous)}))
        return self.get(limit_id)

    def delete(self, limit_id: str) -> None:
        row = self.get(limit_id)
        if self._uow.execute(_DELETE, {"row_id": limit_id}).rowcount == 0:
            # Somebody else has deleted it meanwhile, and that is in the log once.
            raise _not_found(limit_id)
        scope = Scope(row.scope_type, row.user_id or row.scope_id)
        self._uow.add(SpendLimitDeleted(*_target(scope), {"window": row.window, **_said_of(row)}))

    def _same_scope(self, stored: Scope, window: str) -> Sequence[Row]:
        values = {"scope_type": stored.type, "scope_id": stored.id, "window": window}
        return self._uow.execute(_SAME_SCOPE, values).all()

    def _stored_id(self, scope: Scope) -> str:
        """The id under which a limit is kept; raises `NotFoundError` for what is not there.

        A person's limits hang on the principal, so that leaving and coming back resets nothing.
        """
        if scope.type == "user":
            return str(self._directory.person(scope.id).principal_id)
        if scope.type == "group":
            return str(self._directory.group(scope.id).id)
        if scope.id != self._uow.org_id:
            raise NotFoundError("There is no such organization here.", code="organization_not_found")
        return scope.id


def _not_found(limit_id: str) -> NotFoundError:
    return NotFoundError(f"There is no spend limit with the id {limit_id!r}.", code="spend_limit_not_found")


def _target(scope: Scope) -> tuple[str, str]:
    return "org" if scope.type == "organization" else scope.type, scope.id


def _said(amount_nanousd: int | None, mode: str, pool: bool, expires_at: datetime | None) -> dict[str, Any]:
    return {
        "amount_nanousd": amount_nanousd,
        "mode": mode,
        "pool": pool,
        "expires_at": None if expires_at is None else rfc3339(expires_at),
    }


def _said_of(row: Row) -> dict[str, Any]:
    return _said(row.amount_nanousd, row.mode, row.pool, row.expires_at)
