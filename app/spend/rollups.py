"""Sums of the ledger by day, which reports read: kept by the worker, step by step.

What is summed up is marked entry by entry in the same transaction, so a step that is killed is done anew
and nothing is summed twice. An entry is looked for until `OVERLAP` after it was recorded, so one whose
transaction commits late is not missed, and once an hour `LOOK_BACK` long, should one commit later still. It
must not know what is reported.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Insert, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import Insert as Upsert
from sqlalchemy.dialects.postgresql import insert as upsert

from app.core.connection import Row
from app.core.sql import each_row, is_one_of, is_one_of_texts, lock_for_transaction
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import memberships
from app.directory.organizations import OrganizationService
from app.governance.models import group_mappings
from app.spend.ledger_backlog import pending
from app.spend.pricing import Usage, cost_nanousd
from app.spend.usage_calendar import day_of, month_of
from app.spend.usage_models import (
    MEASURES,
    ledger_attributions,
    spend_group_set_members,
    spend_group_sets,
    spend_progress,
    usage_rollups,
)
from app.spend.usage_people import Prices, read_prices

STEP = 5_000
# Far longer than a transaction that books should take, and than clocks of servers differ.
OVERLAP = timedelta(minutes=1)
LOOK_BACK, HOUR = timedelta(hours=2), timedelta(hours=1)
_BEGINNING = datetime(1970, 1, 2, tzinfo=UTC)
_TOKENS = tuple(Usage.__dataclass_fields__)
_KEYS = ("day", "month", "principal_id", "set_id", "surface", "model", "feature", "repository")


def _adding(statement: Upsert) -> Upsert:
    return statement.on_conflict_do_update(
        index_elements=["org_id", *_KEYS],
        set_={name: usage_rollups.c[name] + statement.excluded[name] for name in MEASURES},
    )


_LOCK = select(lock_for_transaction(bindparam("name")))
_PROGRESS = select(spend_progress).where(spend_progress.c.org_id == ORG_ID)
_OPEN = upsert(spend_progress).values(rolled_up_to=None).on_conflict_do_nothing()
_ADVANCE = (
    update(spend_progress).where(spend_progress.c.org_id == ORG_ID).values(rolled_up_to=bindparam("until"))
)
_MAPPED = (
    select(group_mappings.c.group_id)
    .where(group_mappings.c.org_id == ORG_ID)
    .order_by(group_mappings.c.position)
)
_GROUPS = select(memberships.c.user_id, memberships.c.group_id).where(
    memberships.c.org_id == ORG_ID, is_one_of(memberships.c.user_id, "ids")
)
_SETS = select(spend_group_sets.c.fingerprint, spend_group_sets.c.id).where(
    spend_group_sets.c.org_id == ORG_ID, is_one_of_texts(spend_group_sets.c.fingerprint, "prints")
)
_INSERT_SET = insert(spend_group_sets)
_INSERT_MEMBER = insert(spend_group_set_members)
_ATTRIBUTE = insert(ledger_attributions)
_ADD = _adding(upsert(usage_rollups))
_MARKS, _SUMS = ("entry_id", "set_id"), (*_KEYS, *MEASURES)
# The same for all rows at once, of which PostgreSQL takes the lists of their columns.
_ATTRIBUTE_ALL = _ATTRIBUTE.from_select(
    ["org_id", *_MARKS], select(ORG_ID, *each_row(ledger_attributions, _MARKS).c)
)
_ADD_ALL = _adding(
    upsert(usage_rollups).from_select(["org_id", *_SUMS], select(ORG_ID, *each_row(usage_rollups, _SUMS).c))
)


class RollUps:
    def __init__(self, uow: UnitOfWork, organizations: OrganizationService) -> None:
        self._uow = uow
        self._organizations = organizations

    def progress(self) -> Row | None:
        return self._uow.execute(_PROGRESS).first()

    def lock(self) -> Row:
        """One at a time rolls up or closes months; the others wait. Answers how far the work is."""
        self._uow.execute(_LOCK, {"name": f"{self._uow.org_id} rollups"})
        self._uow.execute(_OPEN)
        return self._uow.execute(_PROGRESS).one()

    def current_until(self) -> datetime:
        """Everything that was recorded before this moment is in the sums, as this transaction sees them."""
        first = pending(self._uow, _since(self.progress()), 1)
        return first[0].recorded_at if first else self._uow.now

    def has_work(self) -> bool:
        return bool(pending(self._uow, _since(self.progress()), 1))

    def complete_until(self, progress: Row) -> datetime:
        """Everything that was recorded before this moment is in the sums; asked by who holds the lock.

        From then on only what follows is looked for.
        """
        now, looked_at = self._uow.now, progress.looked_at
        since = _since(progress)
        if looked_at is None or looked_at.replace(minute=0, second=0, microsecond=0) + HOUR <= now:
            since = min(since, now - LOOK_BACK)
        missed = pending(self._uow, since, 1)
        return self._advance(missed[0].recorded_at if missed else now)

    def step(self) -> int:
        """Sum up the next entries, `STEP` at most; answers how many."""
        uow = self._uow
        progress = self.lock()
        entries = pending(uow, _since(progress), STEP)
        if not entries:
            return 0
        set_ids = self._set_ids({entry.user_id for entry in entries})
        marks = [{"entry_id": entry.id, "set_id": set_ids[entry.user_id]} for entry in entries]
        self._insert(_ATTRIBUTE, _ATTRIBUTE_ALL, marks)
        zone = self._organizations.current().zone
        prices = read_prices(uow, None)
        sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(MEASURES))
        for entry in entries:
            day = day_of(entry.occurred_at, zone)
            month = max(month_of(day), (progress.closed_month or 0) + 1)
            key = (
                day,
                month,
                entry.principal_id,
                set_ids[entry.user_id],
                entry.surface,
                entry.model,
                entry.feature or "",
                entry.repository or "",
            )
            for place, value in enumerate(_measures(entry, prices)):
                sums[key][place] += value
        added = [
            {**dict(zip(_KEYS, key, strict=True)), **dict(zip(MEASURES, values, strict=True))}
            for key, values in sorted(sums.items())
        ]
        self._insert(_ADD, _ADD_ALL, added)
        self._advance(entries[-1].recorded_at if len(entries) == STEP else uow.now)
        return len(entries)

    def _advance(self, until: datetime) -> datetime:
        # What a clock that is ahead has recorded must not hide what the others record meanwhile.
        until = min(until, self._uow.now)
        self._uow.execute(_ADVANCE, {"until": until})
        return until

    def _insert(self, one: Insert, all_: Insert, rows: Sequence[Mapping[str, Any]]) -> None:
        if self._uow.dialect == "postgresql":
            self._uow.execute(all_, {name: [row[name] for row in rows] for name in rows[0]})
        else:
            self._uow.execute_many(one, rows)

    def _set_ids(self, user_ids: Iterable[str]) -> dict[str, str]:
        """For each person the set of the groups that they are in now."""
        uow = self._uow
        wanted = list(user_ids)
        groups: dict[str, list[str]] = {user_id: [] for user_id in wanted}
        for row in uow.execute(_GROUPS, {"ids": sorted(wanted)}):
            groups[row.user_id].append(row.group_id)
        mapped = [row.group_id for row in uow.execute(_MAPPED)]
        sets = {user_id: _group_set(mapped, of_user) for user_id, of_user in groups.items()}
        by_print = {_fingerprint(*one): one for one in sets.values()}
        found = uow.execute(_SETS, {"prints": sorted(by_print)}).all()
        ids = {row.fingerprint: row.id for row in found}
        ids |= self._insert_sets({print_: one for print_, one in by_print.items() if print_ not in ids})
        return {user_id: ids[_fingerprint(*one)] for user_id, one in sets.items()}

    def _insert_sets(self, sets: Mapping[str, tuple[str | None, Sequence[str]]]) -> dict[str, str]:
        ids = {print_: self._uow.ids.new() for print_ in sets}
        rows = [
            {"id": ids[print_], "fingerprint": print_, "owner_group_id": owner}
            for print_, (owner, _) in sets.items()
        ]
        members = [
            {"set_id": ids[print_], "group_id": group_id}
            for print_, (_, group_ids) in sets.items()
            for group_id in group_ids
        ]
        if rows:
            self._uow.execute_many(_INSERT_SET, rows)
        if members:
            self._uow.execute_many(_INSERT_MEMBER, members)
        return ids


def _since(progress: Row | None) -> datetime:
    return ((progress is not None and progress.rolled_up_to) or _BEGINNING) - OVERLAP


def _group_set(mapped: Sequence[str], group_ids: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """The owner, who is the group of the first mapping, and all groups."""
    owner = next((group_id for group_id in mapped if group_id in group_ids), None)
    return owner, sorted(group_ids)


def _fingerprint(owner: str | None, group_ids: Sequence[str]) -> str:
    return hashlib.sha256(" ".join((owner or "", *group_ids)).encode()).hexdigest()


def _measures(entry: Row, prices: Prices) -> list[int]:
    """In the order of `MEASURES`. A correction is no further request."""
    requests = int(not entry.is_correction)
    tokens = [getattr(entry, name) or 0 for name in _TOKENS]
    return [requests, entry.amount_nanousd, *tokens, _saved(entry, Usage(*tokens), prices)]


def _saved(entry: Row, usage: Usage, prices: Prices) -> int:
    """How much less it cost than without a cache, which may be negative: writing to it is dearer."""
    price = prices.at(entry.priced_as, usage.prompt_tokens, entry.occurred_at)
    if price is None or usage.prompt_tokens == usage.input_tokens:
        return 0
    plain = Usage(usage.prompt_tokens, usage.output_tokens)
    without = cost_nanousd(price, plain, batch=entry.batch)
    return without - cost_nanousd(price, usage, batch=entry.batch)
