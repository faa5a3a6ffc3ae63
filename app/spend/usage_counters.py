"""Finds or opens the counters of the windows in which late usage happened, and locks them.

They are locked in the order in which every call locks them: the people first, then their counters, the
pools of groups by id and the organization's last. It must not know what is booked on them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, case, insert, select, union_all, update

from app.core.sql import is_one_of, lock_for_transaction
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals
from app.governance.caps import Cap
from app.governance.models import WINDOWS
from app.governance.windows import resets_at
from app.spend.models import COUNTED, spend_counters

# Counted whether there is a limit or not, as authorizations do.
_ALWAYS = (("user", "daily"), ("user", "weekly"), ("user", "monthly"), ("organization", "monthly"))

_LOCK_PEOPLE = (
    select(principals.c.id)
    .where(principals.c.org_id == ORG_ID, is_one_of(principals.c.id, "ids"))
    .order_by(principals.c.id)
    .with_for_update(key_share=True)
)
_OF_SCOPES = union_all(
    *(
        select(
            spend_counters.c.id,
            spend_counters.c.scope_type,
            spend_counters.c.scope_id,
            spend_counters.c.window,
            spend_counters.c.starts_at,
            spend_counters.c.ends_at,
        ).where(
            spend_counters.c.org_id == ORG_ID,
            spend_counters.c.scope_type == scope_type,
            is_one_of(spend_counters.c.scope_id, f"{scope_type}_ids"),
            spend_counters.c.ends_at > bindparam("earliest"),
        )
        for scope_type in COUNTED
    )
)
_LOCK_OPENING = select(lock_for_transaction(bindparam("name")))
_INSERT = insert(spend_counters)
_LOCK = (
    select(spend_counters.c.id)
    .where(spend_counters.c.org_id == ORG_ID, is_one_of(spend_counters.c.id, "ids"))
    .order_by(
        case({name: place for place, name in enumerate(COUNTED)}, value=spend_counters.c.scope_type),
        spend_counters.c.scope_id,
        case({name: place for place, name in enumerate(WINDOWS)}, value=spend_counters.c.window),
        spend_counters.c.ends_at,
    )
    .with_for_update(key_share=True)
)
_SET_LIMIT = (
    update(spend_counters)
    .where(
        spend_counters.c.org_id == ORG_ID,
        spend_counters.c.id == bindparam("row_id"),
        spend_counters.c.ends_at > bindparam("moment"),
    )
    .values(limit_nanousd=bindparam("cap"))
)


class Key(NamedTuple):
    scope_type: str
    scope_id: str
    window: str


@dataclass(frozen=True, slots=True)
class Spent:
    """Whose usage it was and when, with all that binds that person now."""

    principal_id: str
    caps: Sequence[Cap]
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class _Window:
    id: str
    starts_at: datetime
    ends_at: datetime


class UsageCounters:
    def __init__(self, uow: UnitOfWork, zone: str) -> None:
        self._uow = uow
        self._zone = zone

    def open(self, spent: Sequence[Spent], principal_ids: Iterable[str]) -> list[list[str]]:
        """For each the ids of its counters in locking order, with all people locked, also these."""
        uow = self._uow
        uow.execute(_LOCK_PEOPLE, {"ids": sorted({*principal_ids, *(one.principal_id for one in spent)})})
        wanted = [self._wanted(one) for one in spent]
        earliest = min((one.occurred_at for one in spent), default=uow.now)
        known = self._known(wanted, earliest)
        missing = self._missing(spent, wanted, known)
        if missing:
            for key in sorted({key for key, _ in missing}, key=_rank):
                if key.scope_type != "user":
                    # The lock of who opens such a counter for an authorization.
                    uow.execute(_LOCK_OPENING, {"name": " ".join((uow.org_id, *key))})
            known = self._known(wanted, earliest)
            self._insert(self._missing(spent, wanted, known))
            known = self._known(wanted, earliest)
        return [
            [found for key in keys if (found := self._find(known, key, one.occurred_at)) is not None]
            for one, keys in zip(spent, wanted, strict=True)
        ]

    def lock(self, spent: Sequence[Spent], counter_ids: Iterable[str]) -> None:
        """Until the commit: only from now on do others wait. Limits are brought up to date with it."""
        self._uow.execute(_LOCK, {"ids": sorted(set(counter_ids))})
        if spent:
            self._set_limits(spent, self._known([self._wanted(one) for one in spent], self._uow.now))

    def _wanted(self, one: Spent) -> list[Key]:
        ids = {"user": one.principal_id, "organization": self._uow.org_id}
        keys = {Key(type_, ids[type_], window) for type_, window in _ALWAYS}
        keys |= {Key(cap.scope_type, cap.scope_id, cap.window) for cap in one.caps}
        # Open windows of five hours move along, but nothing late opens one.
        keys.add(Key("user", one.principal_id, "five_hour"))
        return sorted(keys, key=_rank)

    def _known(self, wanted: Iterable[Iterable[Key]], earliest: datetime) -> dict[Key, list[_Window]]:
        scopes: dict[str, set[str]] = {scope_type: set() for scope_type in COUNTED}
        for keys in wanted:
            for key in keys:
                scopes[key.scope_type].add(key.scope_id)
        values = {f"{scope_type}_ids": sorted(ids) for scope_type, ids in scopes.items()}
        known: dict[Key, list[_Window]] = {}
        for row in self._uow.execute(_OF_SCOPES, {**values, "earliest": earliest}):
            window = _Window(row.id, row.starts_at, row.ends_at)
            known.setdefault(Key(row.scope_type, row.scope_id, row.window), []).append(window)
        return known

    def _find(self, known: Mapping[Key, Sequence[_Window]], key: Key, moment: datetime) -> str | None:
        """The window that contains the moment: it is open then, or opened only later in the same one."""
        ends_at = resets_at(key.window, moment, self._zone)
        containing = [
            window
            for window in known.get(key, ())
            if window.ends_at > moment
            and (window.starts_at <= moment or (ends_at is not None and window.ends_at <= ends_at))
        ]
        return min(containing, key=lambda window: window.ends_at).id if containing else None

    def _missing(
        self, spent: Sequence[Spent], wanted: Sequence[Sequence[Key]], known: Mapping[Key, Sequence[_Window]]
    ) -> dict[tuple[Key, datetime], datetime]:
        """Windows to open, with the earliest moment in each."""
        missing: dict[tuple[Key, datetime], datetime] = {}
        for one, keys in zip(spent, wanted, strict=True):
            for key in keys:
                ends_at = resets_at(key.window, one.occurred_at, self._zone)
                if ends_at is not None and self._find(known, key, one.occurred_at) is None:
                    earliest = missing.get((key, ends_at), one.occurred_at)
                    missing[key, ends_at] = min(earliest, one.occurred_at)
        return missing

    def _insert(self, missing: Mapping[tuple[Key, datetime], datetime]) -> None:
        rows = [
            {
                "id": self._uow.ids.new(),
                **key._asdict(),
                "starts_at": starts_at,
                "ends_at": ends_at,
                "settled_nanousd": 0,
                "reserved_nanousd": 0,
                "noticed_percent": 0,
            }
            for (key, ends_at), starts_at in missing.items()
        ]
        if rows:
            self._uow.execute_many(_INSERT, rows)

    def _set_limits(self, spent: Sequence[Spent], known: Mapping[Key, Sequence[_Window]]) -> None:
        """What present windows are measured by; windows of the past keep what they were measured by."""
        now = self._uow.now
        caps = {
            Key(cap.scope_type, cap.scope_id, cap.window): cap.amount_nanousd
            for one in spent
            for cap in one.caps
        }
        rows = [
            {"row_id": row_id, "cap": amount, "moment": now}
            for key, amount in sorted(caps.items(), key=lambda item: _rank(item[0]))
            if (row_id := self._find(known, key, now)) is not None
        ]
        if rows:
            self._uow.execute_many(_SET_LIMIT, rows)


def _rank(key: Key) -> tuple[Any, ...]:
    return COUNTED.index(key.scope_type), key.scope_id, WINDOWS.index(key.window)
