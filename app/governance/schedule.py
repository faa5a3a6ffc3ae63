"""What time alone does to rights: the resolver's answer, and the moment from which it cannot be relied on.

Pure like the resolver. A right that ends with a mapping must end at that moment even if nobody is there
to write it down, so whoever stores an entitlement stores `lapses_at` with it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from app.governance.resolver import Entitlement, GroupMapping, Policy, Reason, Source, resolve


def entitle(
    policy: Policy,
    group_ids: frozenset[str],
    manual_role_id: str | None,
    held_role_id: str | None = None,
    signed_in: frozenset[str] = frozenset(),
) -> Entitlement:
    """What `resolve` says as of the policy's moment, with `lapses_at` and the mappings out of their time."""
    now = resolve(policy, group_ids, manual_role_id, held_role_id, signed_in)
    timed = [mapping for mapping in policy.mappings if _has_times(mapping) and mapping.group_id in group_ids]
    if not timed:
        return now
    lapses_at = next(
        (
            moment
            for moment in _changes_after(policy.moment, timed)
            if _loses(
                now,
                resolve(replace(policy, moment=moment), group_ids, manual_role_id, held_role_id, signed_in),
            )
        ),
        None,
    )
    return replace(now, lapses_at=lapses_at, reasons=(*now.reasons, *_reasons(policy.moment, timed)))


def _has_times(mapping: GroupMapping) -> bool:
    return mapping.effective_at is not None or mapping.expires_at is not None


def _changes_after(moment: datetime, mappings: Iterable[GroupMapping]) -> list[datetime]:
    times = {time for mapping in mappings for time in (mapping.effective_at, mapping.expires_at)}
    return sorted(time for time in times if time is not None and time > moment)


def _loses(before: Entitlement, after: Entitlement) -> bool:
    """Whether anything that somebody may do before is gone after; another role alone takes nothing."""
    if before.wants_seat and not after.wants_seat:
        return True
    if not set(before.surfaces) <= set(after.surfaces) or not set(before.permissions) <= set(
        after.permissions
    ):
        return True
    if before.models is None:
        return after.models is not None or not set(after.denied_models) <= set(before.denied_models)
    if after.models is None:
        return not set(before.models).isdisjoint(after.denied_models)
    return not set(before.models) <= set(after.models)


def _reasons(moment: datetime, timed: Iterable[GroupMapping]) -> Iterator[Reason]:
    for mapping in timed:
        if mapping.is_in_force(moment):
            continue
        source = Source("group", mapping.role_id, mapping.group_id, mapping.id)
        if mapping.effective_at is not None and moment < mapping.effective_at:
            yield Reason(source, "loses", f"it does not count before {mapping.effective_at.isoformat()}")
        elif mapping.expires_at is not None:
            yield Reason(source, "loses", f"it expired at {mapping.expires_at.isoformat()}")
