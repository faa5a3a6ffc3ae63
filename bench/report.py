"""The table and the aims, from what this run measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench import cases
from bench.load import Measured

# Case, share of the yardstick's requests that it should reach, which route of the yardstick.
AIMS = (
    (cases.GET_USER, 0.8, cases.READ),
    (cases.FILTER, 0.8, cases.READ),
    (cases.POST_USER, 0.6, cases.INSERT),
    (cases.PATCH_SEATLESS, 0.8, cases.INSERT),
    (cases.PATCH_SEATED, 0.5, cases.INSERT),
)
ADD_MEMBER_COST = 1.3
FOOTNOTES = """\
- Yardstick: mean of the runs right before and right after the group of cases; the read route for GET,
  filter and page, the insert route for the others.
- PATCH active switches 50 people off and the same 50 on again, and so on through everybody. With seat:
  members of a mapped group, so each change takes or gives back a seat, with its audit entries and, on
  the way out, an outbox message. Nobody of them is signed in: sessions are looked for, and none is there.
- Add member: every request adds somebody new. Size 0 uses another empty group each time; the others go
  round 24 groups of the size, which grow by what the run adds and stay in the caches, so a cost ratio
  below 1 says no more than 1 does. The 600 people to be added are in the
  database beyond the population.
- The log at level info goes to a file and the worker runs inside the server; before each case it has
  caught up."""


@dataclass(frozen=True, slots=True)
class Row:
    database: str
    case: str
    users: int
    clients: int
    measured: Measured
    # Requests a second of the yardstick's route.
    yardstick: float

    @property
    def ratio(self) -> float:
        return self.measured.per_second / self.yardstick if self.yardstick else 0.0


def heading() -> str:
    return (
        f"{'case':<26}{'users':>7}{'clients':>9}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}"
        f"{'yardstick':>11}{'ratio':>7}"
    )


def line(row: Row) -> str:
    measured = row.measured
    failed = f"   FAILED: {measured.fault}" if measured.fault else ""
    return (
        f"{row.case:<26}{row.users:>7,}{row.clients:>9}{measured.per_second:>12,.0f}{measured.p50_ms:>9.2f}"
        f"{measured.p99_ms:>9.2f}{row.yardstick:>11,.0f}{row.ratio:>7.2f}{failed}"
    )


def table(rows: Sequence[Row]) -> Iterator[str]:
    for database in dict.fromkeys(row.database for row in rows):
        yield ""
        yield database
        yield heading()
        yield from (line(row) for row in rows if row.database == database)


def aims(rows: Sequence[Row]) -> Iterator[str]:
    """One line for each aim and database; a failed measurement misses its aim."""
    for database in dict.fromkeys(row.database for row in rows):
        mine = [row for row in rows if row.database == database]
        for case, share, route in AIMS:
            found = [0.0 if row.measured.fault else row.ratio for row in mine if row.case == case]
            text = f"{database}: {case} at least {share} of the {route} route"
            yield from _verdict(text, found, [ratio >= share for ratio in found])
        costs = _add_member_costs(mine)
        text = f"{database}: add member to 10,000 costs at most {ADD_MEMBER_COST} of an empty group"
        yield from _verdict(text, costs, [cost <= ADD_MEMBER_COST for cost in costs])


def _verdict(text: str, values: Sequence[float], met: Sequence[bool]) -> Iterator[str]:
    if values:
        word = "met   " if all(met) else "MISSED"
        numbers = ", ".join(f"{value:.2f}" for value in values)
        yield f"{word}  {text}: {numbers} ({sum(met)} of {len(met)})"


def _add_member_costs(rows: Sequence[Row]) -> list[float]:
    empty, large = (cases.add_member_name(size) for size in (0, 10_000))
    rates = {(row.case, row.users, row.clients): row.measured for row in rows if not row.measured.fault}
    return [
        rates[empty, users, clients].per_second / measured.per_second
        for (case, users, clients), measured in rates.items()
        if case == large and (empty, users, clients) in rates
    ]
