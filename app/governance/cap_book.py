"""The personal caps of many people, each as `limits` would say it of one.

What is common to all is read once and what is a person's own a batch at a time, so that it costs
statements by batches and never by people. Pools are not in it: no change of anybody's role moves them.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import or_, select

from app.core.batches import batches
from app.core.sql import each_id, is_one_of
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import memberships
from app.governance.caps import NO_CAPS, Limit, PersonalCaps, resolve_caps
from app.governance.models import spend_limits

_of_scope = select(*(spend_limits.c[name] for name in Limit.__dataclass_fields__)).where(
    spend_limits.c.org_id == ORG_ID
)
_COMMON = _of_scope.where(
    or_(*(spend_limits.c.scope_type == scope for scope in ("role", "group", "organization")))
)
_OWN = _of_scope.where(spend_limits.c.scope_type == "user", is_one_of(spend_limits.c.scope_id, "ids"))
_MEMBERSHIPS = select(memberships.c.user_id, memberships.c.group_id).where(
    memberships.c.org_id == ORG_ID,
    is_one_of(memberships.c.user_id, "ids"),
    memberships.c.group_id.in_(select(each_id("group_ids").c.value)),
)


class CapBook:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow
        self._common: dict[tuple[str, str], list[Limit]] = {}
        for row in uow.execute(_COMMON):
            limit = Limit(*row)
            self._common.setdefault((limit.scope_type, limit.scope_id), []).append(limit)
        self._limited_groups = sorted(id_ for scope, id_ in self._common if scope == "group")
        # By user id, of those alone who have any.
        self._own: dict[str, list[Limit]] = {}
        self._groups: dict[str, set[str]] = {}
        # Few combinations of role and groups are many people's.
        self._known: dict[tuple[str | None, frozenset[str]], PersonalCaps] = {}

    def learn(self, people: Iterable[tuple[str, str]]) -> None:
        """Read what is these people's own, who are given as ids of principal and user."""
        for batch in batches(list(people)):
            user_ids = dict(batch)
            for row in self._uow.execute(_OWN, {"ids": list(user_ids)}):
                limit = Limit(*row)
                self._own.setdefault(user_ids[limit.scope_id], []).append(limit)
            if self._limited_groups:
                values = {"ids": list(user_ids.values()), "group_ids": self._limited_groups}
                for row in self._uow.execute(_MEMBERSHIPS, values):
                    self._groups.setdefault(row.user_id, set()).add(row.group_id)

    def caps(self, user_id: str, role_id: str | None) -> PersonalCaps:
        """What a known person could spend with a seat in this role."""
        group_ids = frozenset(self._groups.get(user_id, ()))
        if user_id in self._own:
            return self._resolve(role_id, group_ids, self._own[user_id])
        key = role_id, group_ids
        if key not in self._known:
            self._known[key] = self._resolve(role_id, group_ids, ())
        return self._known[key]

    def _resolve(self, role_id: str | None, group_ids: frozenset[str], own: Sequence[Limit]) -> PersonalCaps:
        scopes = [("role", str(role_id)), ("organization", self._uow.org_id)]
        scopes += [("group", group_id) for group_id in group_ids]
        common = [limit for scope in scopes for limit in self._common.get(scope, ())]
        # Whose spending is summed does not matter to the amounts.
        caps = resolve_caps([*own, *common], "", self._uow.now)
        return {**NO_CAPS, **{cap.window: cap.amount_nanousd for cap in caps if not cap.is_pool}}
