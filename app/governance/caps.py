"""Which limits hold for one person: a pure function from the limits in question to caps.

For each window one personal cap holds, of the first of these that has one: the person's own limit, the
limit of their role, the lowest of their groups' limits, the organization's. Pools bind in addition. It
must not know what has been spent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.governance.models import WINDOWS

# The order in which a personal cap is looked for.
SOURCES = ("user", "role", "group", "organization")

# What one person may spend alone: window to nano-dollars, null is no cap.
PersonalCaps = Mapping[str, int | None]
NO_CAPS: PersonalCaps = dict.fromkeys(WINDOWS, None)
DEPROVISIONED: PersonalCaps = dict.fromkeys(WINDOWS, 0)


@dataclass(frozen=True, slots=True)
class Limit:
    """A stored limit; without `amount_nanousd` a person explicitly has no cap in that window."""

    scope_type: str
    scope_id: str
    window: str
    amount_nanousd: int | None
    mode: str
    pool: bool
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Cap:
    """What holds: `scope_type` and `scope_id` say whose spending is summed, `source` who set the amount."""

    scope_type: str
    scope_id: str
    window: str
    amount_nanousd: int
    mode: str
    source: str

    @property
    def is_pool(self) -> bool:
        return self.scope_type != "user"


def resolve_caps(limits: Iterable[Limit], principal_id: str, now: datetime) -> list[Cap]:
    """The caps of a seated person, of all limits of their own, their role, groups and organization.

    First the personal ones, then the pools of groups by id and of the organization last, which is also
    the order in which spending locks them.
    """
    holding = in_force(limits, now)
    own = [limit for limit in holding if not limit.pool]
    pools = sorted(
        (limit for limit in holding if limit.pool),
        key=lambda limit: (SOURCES.index(limit.scope_type), limit.scope_id, WINDOWS.index(limit.window)),
    )
    personal = (_personal(own, principal_id, window) for window in WINDOWS)
    return [
        *(cap for cap in personal if cap is not None),
        *(
            _cap(limit, limit.scope_type, limit.scope_id)
            for limit in pools
            if limit.amount_nanousd is not None
        ),
    ]


def in_force(limits: Iterable[Limit], now: datetime) -> list[Limit]:
    """For each scope and window its temporary limit until that expires, else its standing one."""
    chosen: dict[tuple[str, str, str], Limit] = {}
    for limit in limits:
        key = (limit.scope_type, limit.scope_id, limit.window)
        is_over = limit.expires_at is not None and limit.expires_at <= now
        if not is_over and (limit.expires_at is not None or key not in chosen):
            chosen[key] = limit
    return list(chosen.values())


def _personal(limits: Sequence[Limit], principal_id: str, window: str) -> Cap | None:
    here = [limit for limit in limits if limit.window == window]
    if not here:
        return None
    source = min(SOURCES.index(limit.scope_type) for limit in here)
    nearest = [limit for limit in here if limit.scope_type == SOURCES[source]]
    lowest = min(nearest, key=lambda limit: (limit.amount_nanousd or 0, limit.mode))
    return None if lowest.amount_nanousd is None else _cap(lowest, "user", principal_id)


def _cap(limit: Limit, scope_type: str, scope_id: str) -> Cap:
    amount = limit.amount_nanousd or 0
    return Cap(scope_type, scope_id, limit.window, amount, limit.mode, limit.scope_type)
