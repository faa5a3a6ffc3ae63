"""The only place where rights are decided: a pure function from memberships and mappings to rights.

It must not know a database, a clock or a request; given the same inputs in any order of events it
answers the same, with a reason for each mapping that was considered.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.governance.rights import PERMISSIONS, SURFACES, included

# Behind every mapping that a list can hold.
MANUAL_RANK = 1_000_000
OUTCOMES = ("decides", "adds", "loses", "denies", "caps")


@dataclass(frozen=True, slots=True)
class Role:
    id: str
    name: str
    surfaces: tuple[str, ...]
    models: tuple[str, ...] | None
    permissions: tuple[str, ...]
    denies: frozenset[str]
    seat: bool


@dataclass(frozen=True, slots=True)
class GroupMapping:
    """`position` counts from 1; `seat_on` is `provision` or `login`.

    It counts from `effective_at` until just before `expires_at`; null bounds nothing.
    """

    id: str
    position: int
    group_id: str
    role_id: str
    seat_on: str
    effective_at: datetime | None = None
    expires_at: datetime | None = None

    def is_in_force(self, moment: datetime) -> bool:
        has_begun = self.effective_at is None or self.effective_at <= moment
        return has_begun and (self.expires_at is None or moment < self.expires_at)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What nobody of the organization can have more than; null bounds nothing."""

    surfaces: frozenset[str] | None = None
    models: frozenset[str] | None = None
    permissions: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What an organization has decided, the same for all of its people; it is asked as of `moment`."""

    rights_mode: str
    mappings: Sequence[GroupMapping]
    roles: Mapping[str, Role]
    moment: datetime
    ceiling: Ceiling = Ceiling()


@dataclass(frozen=True, slots=True)
class Source:
    """What gives the seat: a mapped group, an administrator (`manual`), or a loss that is `held`."""

    type: str
    role_id: str
    group_id: str | None = None
    mapping_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """What became of one mapping or manual seat: `decides`, `adds` or `loses`, and why.

    Beside that a source `denies` what its role denies, and without a source the organization's
    ceiling `caps`; both only where there was something to take.
    """

    source: Source | None
    outcome: str
    text: str


@dataclass(frozen=True, slots=True)
class Entitlement:
    role_id: str | None = None
    surfaces: tuple[str, ...] = ()
    models: tuple[str, ...] | None = ()
    permissions: tuple[str, ...] = ()
    denied_models: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    waiting_rank: int = 0
    # From here on these rights are worth nothing until they are decided again; `schedule` sets it.
    lapses_at: datetime | None = None
    reasons: tuple[Reason, ...] = field(default=(), compare=False)

    @property
    def wants_seat(self) -> bool:
        return bool(self.sources)


NOTHING = Entitlement()


@dataclass(frozen=True, slots=True)
class _Match:
    source: Source
    role: Role
    rank: int
    gives_seat: bool


@dataclass(frozen=True, slots=True)
class _Rights:
    surfaces: tuple[str, ...]
    models: tuple[str, ...] | None
    permissions: tuple[str, ...]

    def without(self, denies: frozenset[str]) -> "_Rights":
        # Whoever may manage may view, so a denied view takes both.
        return _Rights(
            tuple(name for name in self.surfaces if name not in denies),
            None if self.models is None else tuple(name for name in self.models if name not in denies),
            tuple(name for name in self.permissions if included(name).isdisjoint(denies)),
        )

    def within(self, ceiling: Ceiling) -> "_Rights":
        surfaces, models, permissions = self.surfaces, self.models, self.permissions
        if ceiling.surfaces is not None:
            surfaces = tuple(name for name in surfaces if name in ceiling.surfaces)
        if ceiling.models is not None:
            models = tuple(sorted(ceiling.models if models is None else ceiling.models.intersection(models)))
        if ceiling.permissions is not None:
            most = frozenset[str]().union(*map(included, ceiling.permissions))
            permissions = tuple(name for name in permissions if name in most)
        return _Rights(surfaces, models, permissions)

    def lost(self, left: "_Rights") -> list[str]:
        """Every name that is here and no longer there."""
        before = {*self.surfaces, *(self.models or ()), *self.permissions}
        return sorted(before.difference(left.surfaces, left.models or (), left.permissions))


def resolve(
    policy: Policy,
    group_ids: frozenset[str],
    manual_role_id: str | None,
    held_role_id: str | None = None,
    signed_in: frozenset[str] = frozenset(),
) -> Entitlement:
    """The rights of an active person who is a direct member of `group_ids`, or counts as one.

    A mapping with `seat_on: login` gives its seat to who has signed in since it applied to them:
    `signed_in` are the groups of which that is so.
    The role is that of the first matching mapping; a manual seat counts after all mappings, a role
    whose loss is held before them. In mode
    `union` every matching role adds its surfaces (if it gives a seat), models and permissions; in
    mode `first` only the deciding one does. Denies of the roles that count win over what they allow,
    and what is left is cut to the organization's ceiling.
    """
    matches = list(_matches(policy, group_ids, manual_role_id, held_role_id, signed_in))
    if not matches:
        return NOTHING
    first = matches[0]
    counting = matches if policy.rights_mode == "union" else _first_with_manual(matches)
    given = _given(counting)
    denies = frozenset[str]().union(*(match.role.denies for match in counting))
    allowed = given.without(denies)
    # Where all models were allowed the ceiling makes a list of them, which the denied ones are not in.
    left = allowed.within(policy.ceiling).without(denies)
    seated = [match for match in counting if match.gives_seat]
    return Entitlement(
        role_id=first.role.id,
        surfaces=left.surfaces,
        models=left.models,
        permissions=left.permissions,
        denied_models=_models_in(denies) if left.models is None else (),
        sources=tuple(match.source for match in seated),
        waiting_rank=min((match.rank for match in seated), default=0),
        reasons=(
            *_reasons(matches, counting),
            *_deny_reasons(counting, given),
            *_ceiling_reason(allowed, left),
        ),
    )


def _matches(
    policy: Policy,
    group_ids: frozenset[str],
    manual_role_id: str | None,
    held_role_id: str | None,
    signed_in: frozenset[str],
) -> Iterable[_Match]:
    if held_role_id is not None:
        role = policy.roles[held_role_id]
        yield _Match(Source("held", role.id), role, 0, gives_seat=role.seat)
    for mapping in policy.mappings:
        if mapping.group_id in group_ids and mapping.is_in_force(policy.moment):
            role = policy.roles[mapping.role_id]
            source = Source("group", role.id, mapping.group_id, mapping.id)
            is_due = mapping.seat_on == "provision" or mapping.group_id in signed_in
            gives_seat = role.seat and is_due
            yield _Match(source, role, mapping.position, gives_seat)
    if manual_role_id is not None:
        role = policy.roles[manual_role_id]
        yield _Match(Source("manual", role.id), role, MANUAL_RANK, gives_seat=True)


def _first_with_manual(matches: Sequence[_Match]) -> list[_Match]:
    # A manual seat is somebody's explicit word: a mapping before it decides the rights, but must
    # not take the seat away.
    last = matches[-1]
    return [matches[0], last] if last is not matches[0] and last.source.type == "manual" else [matches[0]]


def _may_use(match: _Match) -> bool:
    return match.role.seat or match.source.type == "manual"


def _given(counting: Sequence[_Match]) -> _Rights:
    roles = [match.role for match in counting]
    every_model = any(role.models is None for role in roles)
    return _Rights(
        surfaces=_united(match.role.surfaces for match in counting if _may_use(match)),
        models=None if every_model else _united(role.models or () for role in roles),
        permissions=_united(role.permissions for role in roles),
    )


def _models_in(denies: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(denies.difference(SURFACES, PERMISSIONS)))


def _united(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({item for part in parts for item in part}))


def _reasons(matches: Sequence[_Match], counting: Sequence[_Match]) -> Iterable[Reason]:
    for match in matches:
        if match is matches[0]:
            outcome, text = "decides", f"first in order: its role {match.role.name!r} is the role"
        elif match in counting:
            outcome, text = "adds", f"adds the rights of role {match.role.name!r}"
        else:
            outcome, text = "loses", "a mapping before it decides (rights_mode is 'first')"
        if outcome != "loses" and not match.gives_seat:
            text += "; no seat: " + (
                "the seat comes at the next sign-in" if match.role.seat else "the role has none"
            )
        yield Reason(match.source, outcome, text)


def _deny_reasons(counting: Sequence[_Match], given: _Rights) -> Iterable[Reason]:
    for match in counting:
        denies = match.role.denies
        taken = given.lost(given.without(denies))
        if given.models is None:
            taken.extend(_models_in(denies))
        if taken:
            yield Reason(match.source, "denies", f"its role {match.role.name!r} denies {', '.join(taken)}")


def _ceiling_reason(allowed: _Rights, left: _Rights) -> Iterable[Reason]:
    lost = allowed.lost(left)
    parts = [f"takes {', '.join(lost)}"] if lost else []
    if allowed.models is None and left.models is not None:
        parts.append(f"leaves of all models {', '.join(left.models) or 'none'}")
    if parts:
        yield Reason(None, "caps", f"the organization's ceiling {' and '.join(parts)}")
