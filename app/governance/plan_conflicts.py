"""Mappings that disagree, as warnings of a plan: the order decides, but somebody should know. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.governance.resolver import Entitlement, Policy

# Of each kind so many are named, those with most people first.
MAX_CONFLICTS = 100


@dataclass(frozen=True, slots=True)
class Conflict:
    """The mapping at `position` decides over `other_position` for so many people."""

    code: str
    position: int
    other_position: int
    people: int
    detail: str


class ConflictCounter:
    """Counts, person by person, which mapping won over which."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._positions = {mapping.id: mapping.position for mapping in policy.mappings}
        self._people: Counter[tuple[int, int]] = Counter()

    def count(self, entitlements: Iterable[Entitlement]) -> None:
        # Few entitlements are many people's.
        alike: dict[int, Entitlement] = {}
        people: Counter[int] = Counter()
        for entitlement in entitlements:
            alike[id(entitlement)] = entitlement
            people[id(entitlement)] += 1
        for key, entitlement in alike.items():
            for pair in self._pairs(entitlement):
                self._people[pair] += people[key]

    def conflicts(self) -> list[Conflict]:
        matched = [
            Conflict("roles_differ", winner, other, people, self._fate())
            for (winner, other), people in self._people.most_common(MAX_CONFLICTS)
        ]
        return [*list(self._same_group())[:MAX_CONFLICTS], *matched]

    def _pairs(self, entitlement: Entitlement) -> Iterator[tuple[int, int]]:
        counting = [
            reason.source
            for reason in entitlement.reasons
            if reason.source is not None
            and reason.source.mapping_id is not None
            and self._is_in_force(reason.source.mapping_id)
        ]
        first, seen = counting[0] if counting else None, set[str]()
        for source in counting[1:]:
            if first is not None and source.role_id != first.role_id and str(source.mapping_id) not in seen:
                seen.add(str(source.mapping_id))
                yield self._positions[str(first.mapping_id)], self._positions[str(source.mapping_id)]

    def _is_in_force(self, mapping_id: str) -> bool:
        mapping = self._policy.mappings[self._positions[mapping_id] - 1]
        return mapping.is_in_force(self._policy.moment)

    def _same_group(self) -> Iterator[Conflict]:
        firsts: dict[str, int] = {}
        for mapping in self._policy.mappings:
            first = firsts.setdefault(mapping.group_id, mapping.position)
            if first != mapping.position:
                yield Conflict("group_has_two_roles", first, mapping.position, 0, self._fate())

    def _fate(self) -> str:
        if self._policy.rights_mode == "first":
            return "The earlier mapping decides; the later one gives these people nothing."
        return "The earlier mapping gives role and limits; the later one adds its rights."
