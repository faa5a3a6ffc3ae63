"""Fills the books for the spend bench by statement: people like the first one, their limits, old entries."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from bench.databases import Target

# Amounts that nobody reaches.
PERSON_NANOUSD, EVERYBODY_NANOUSD = 10**15, 10**17
_LIKE_THE_FIRST = """
CREATE TEMPORARY TABLE newcomers ON COMMIT DROP AS
SELECT gen_random_uuid() AS id, number FROM generate_series(1, %(count)s) AS number;
"""
_CLONES = {
    "principals": "jsonb_build_object('id', n.id, 'user_id', n.id)",
    "users": "jsonb_build_object('id', n.id, 'principal_id', n.id, 'user_name_key', 'clone' || n.id, "
    "'email_key', null, 'external_id', null)",
    "memberships": "jsonb_build_object('user_id', n.id)",
}
_OWNER = {"users": "id", "principals": "user_id", "memberships": "user_id"}
_LIMITS = """
INSERT INTO spend_limits (
    org_id, id, scope_type, scope_id, "window", amount_nanousd, mode, pool, temporary, created_at
)
SELECT org_id, gen_random_uuid(), 'user', id, 'monthly', %(amount)s, 'hard', false, false, now()
FROM principals p WHERE seat_state = 'assigned' AND NOT EXISTS (
    SELECT FROM spend_limits l WHERE l.org_id = p.org_id AND l.scope_type = 'user' AND l.scope_id = p.id
)
"""
_EVERYBODY = """
INSERT INTO spend_limits (
    org_id, id, scope_type, scope_id, "window", amount_nanousd, mode, pool, temporary, created_at
)
VALUES (
    %(org_id)s, gen_random_uuid(), 'organization', %(org_id)s, 'monthly', %(amount)s, 'hard', true, false,
    now()
)
ON CONFLICT (org_id, scope_type, scope_id, "window", temporary) DO UPDATE
SET amount_nanousd = excluded.amount_nanousd
"""
# As if everybody had called once: the windows are those that somebody has open.
_COUNTERS = """
INSERT INTO spend_counters (
    org_id, id, scope_type, scope_id, "window", starts_at, ends_at, settled_nanousd, reserved_nanousd,
    noticed_percent
)
SELECT p.org_id, gen_random_uuid(), 'user', p.id, o."window", o.starts_at, o.ends_at, 0, 0, 0
FROM principals p CROSS JOIN (
    SELECT DISTINCT ON ("window") "window", starts_at, ends_at FROM spend_counters WHERE scope_type = 'user'
) o
WHERE p.seat_state = 'assigned'
ON CONFLICT (org_id, scope_type, scope_id, "window", ends_at) DO NOTHING
"""
_LEDGER = """
INSERT INTO ledger_entries (
    org_id, id, kind, principal_id, user_id, amount_nanousd, surface, model, priced_as, batch, session_id,
    counter_ids, occurred_at, recorded_at
)
SELECT p.org_id, uuidv7(), 'usage', p.id, p.user_id, 1000, 'code', 'claude-sonnet-4-6',
    'claude-sonnet-4-6', false, 'session ' || number %% 50000, '{}', now() - interval '1 day', now()
FROM generate_series(1, %(rows)s) AS number
JOIN (
    SELECT org_id, id, user_id, row_number() OVER () - 1 AS place, count(*) OVER () AS people
    FROM principals WHERE seat_state = 'assigned'
) p ON p.place = number %% p.people
"""
_SPENT = """
SELECT settled_nanousd + reserved_nanousd FROM spend_counters
WHERE scope_type = 'organization' AND "window" = 'monthly' AND ends_at > now()
"""
_HIGHEST = "SELECT max(settled_nanousd + reserved_nanousd - limit_nanousd) FROM spend_counters"


class Books:
    """One organization of one target, as its owner sees it."""

    def __init__(self, target: Target, org_id: str) -> None:
        self._url = target.owner_url.replace("+psycopg", "")
        self._org_id = org_id

    def grow_people(self, count: int) -> list[str]:
        """Clone the first seated person until so many are seated, each with a limit; answers their ids."""
        with self._connect() as connection:
            people = self._seated(connection)
            connection.execute(_LIKE_THE_FIRST % {"count": max(0, count - len(people))})
            for table, changes in _CLONES.items():
                connection.execute(
                    f"INSERT INTO {table} SELECT (jsonb_populate_record(t, {changes})).* "
                    f"FROM {table} t CROSS JOIN newcomers n WHERE t.{_OWNER[table]} = %s",
                    [people[0]],
                )
            connection.execute(_LIMITS, {"amount": PERSON_NANOUSD})
            connection.execute(_COUNTERS)
            return self._seated(connection)

    def limit_everybody(self, nanousd: int) -> None:
        with self._connect() as connection:
            connection.execute(_EVERYBODY, {"org_id": self._org_id, "amount": nanousd})

    def grow_ledger(self, rows: int) -> None:
        """Add entries of yesterday, which no counter holds, until there are so many."""
        with self._connect() as connection:
            found = connection.execute("SELECT count(*) FROM ledger_entries").fetchone()
            connection.execute(_LEDGER, {"rows": max(0, rows - (found[0] if found else 0))})

    @contextmanager
    def watch(self) -> Iterator["Watch"]:
        """A look at all limited counters at one moment, as often as it is asked for."""
        with self._connect() as connection:
            connection.autocommit = True
            yield Watch(connection)

    def _seated(self, connection: psycopg.Connection[Any]) -> list[str]:
        query = "SELECT user_id FROM principals WHERE seat_state = 'assigned' ORDER BY user_id"
        return [str(row[0]) for row in connection.execute(query)]

    @contextmanager
    def _connect(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self._url) as connection:
            connection.execute("SELECT set_config('usher.org_id', %s, false)", [self._org_id])
            connection.commit()
            yield connection


class Watch:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def spent(self) -> int:
        """What the organization has settled and reserved this month."""
        found = self._connection.execute(_SPENT).fetchone()
        return int(found[0]) if found else 0

    def highest_excess(self) -> int:
        """By how much the fullest counter is above its limit; 0 or less when none is."""
        found = self._connection.execute(_HIGHEST).fetchone()
        return int(found[0]) if found and found[0] is not None else 0
