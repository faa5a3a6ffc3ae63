"""Sums of the ledger by day, which reports read: kept by the worker, step by step.

What is summed up is marked entry by entry in the same transaction, so a step that is killed is done anew
and nothing is summed twice. An entry is looked for until `OVERLAP` after the last one that was found, so
one whose transaction commits late is not missed. It must not know what is reported.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.core.connection import Row
from app.core.sql import is_one_of, is_one_of_texts, lock_for_transaction
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import memberships
from app.directory.organizations import OrganizationService
from app.governance.models import group_mappings
from app.spend.models import ledger_entries
from app.spend.pricing import Usage, cost_nanousd
from app.spend.usage_calendar import day_of, month_of
from app.spend.usage_models import (
    MEASURES,
    ledger_attributions,
    spend_group_set_members,
    spend_group_sets,
    spend_progress,
    usage_events,
    usage_rollups,
)
from app.spend.usage_people import Prices, read_prices

STEP = 2_000
# Far longer than any transaction that books.
OVERLAP = timedelta(minutes=1)
_BEGINNING = datetime(1970, 1, 2, tzinfo=UTC)
_TOKENS = tuple(Usage.__dataclass_fields__)
_KEYS = ("day", "month", "principal_id", "set_id", "surface", "model", "feature", "repository")

_LOCK = select(lock_for_transaction(bindparam("name")))
_PROGRESS = select(spend_progress).where(spend_progress.c.org_id == ORG_ID)
_OPEN = upsert(spend_progress).values(rolled_up_to=None).on_conflict_do_nothing()
_ADVANCE = (
    update(spend_progress).where(spend_progress.c.org_id == ORG_ID).values(rolled_up_to=bindparam("until"))
)
_pending = (
    select(ledger_entries, usage_events.c.corrects_event_id)
    .select_from(
        ledger_entries.outerjoin(
            ledger_attributions,
            and_(
                ledger_attributions.c.org_id == ledger_entries.c.org_id,
                ledger_attributions.c.entry_id == ledger_entries.c.id,
            ),
        ).outerjoin(
            usage_events,
            and_(
                usage_events.c.org_id == ledger_entries.c.org_id,
                usage_events.c.reservation_id == ledger_entries.c.reservation_id,
            ),
        )
    )
    .where(
        ledger_entries.c.org_id == ORG_ID,
        ledger_entries.c.recorded_at >= bindparam("since"),
        ledger_attributions.c.entry_id.is_(None),
    )
    .order_by(ledger_entries.c.recorded_at, ledger_entries.c.id)
)
_PENDING = _pending.limit(STEP)
_FIRST_PENDING = _pending.with_only_columns(ledger_entries.c.recorded_at).limit(1)
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
_add = upsert(usage_rollups)
_ADD = _add.on_conflict_do_update(
    index_elements=["org_id", *_KEYS],
    set_={name: usage_rollups.c[name] + _add.excluded[name] for name in MEASURES},
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
        """Everything that was recorded before this moment is in the sums."""
        pending = self._uow.execute(_FIRST_PENDING, {"since": _since(self.progress())}).first()
        return self._uow.now if pending is None else pending.recorded_at

    def has_work(self) -> bool:
        values = {"since": _since(self.progress())}
        return self._uow.execute(_FIRST_PENDING, values).first() is not None

    def step(self) -> int:
        """Sum up the next entries, `STEP` at most; answers how many."""
        uow = self._uow
        progress = self.lock()
        entries = uow.execute(_PENDING, {"since": _since(progress)}).all()
        if not entries:
            return 0
        set_ids = self._set_ids({entry.user_id for entry in entries})
        rows = [{"entry_id": entry.id, "set_id": set_ids[entry.user_id]} for entry in entries]
        uow.execute_many(_ATTRIBUTE, rows)
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
        uow.execute_many(_ADD, added)
        uow.execute(_ADVANCE, {"until": entries[-1].recorded_at})
        return len(entries)

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
    requests = int(entry.corrects_event_id is None)
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
