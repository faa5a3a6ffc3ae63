"""Writes a month of calls into the ledger, a million in a minute, as settling each would have left them.

Each call is a settled reservation and its entry in the ledger, by one price row and in the person's and the
organization's windows, whose counters hold the sums. `verify` proves that: it is the same proof as
`usher spend verify`. Only the audit log has nothing of it, as it has nothing of a single call anyway.
"""

import psycopg

from app.core.context import OPERATOR, Caller
from app.settings import Settings
from app.spend.check import SpendCheck
from app.wiring import Container
from bench.databases import Target
from bench.servers import BenchError

# Everybody works on 2 of 200 repositories, on 2 surfaces, with 3 models, partly in reviews, at any time of
# the last 30 days. That is more variety in a person's day than people have, and so more sums to read.
_MADE = """
CREATE TEMPORARY TABLE made AS
WITH people AS (
    SELECT row_number() OVER (ORDER BY id) - 1 AS person, org_id, id AS user_id, principal_id FROM users
    WHERE id IN (SELECT user_id FROM seats)
),
calls AS (
    SELECT n, (n / 2) %% (SELECT count(*) FROM people) AS person,
        (ARRAY['claude-sonnet-4-6', 'claude-opus-4-6', 'claude-haiku-4-5'])[1 + floor(random() * 3)::int]
            AS model,
        1000 + n %% 500 AS input_tokens, 500 + n %% 300 AS output_tokens, 20000 + n %% 7000 AS read_tokens,
        300 + n %% 200 AS write_tokens, now() - random() * interval '30 days' - interval '1 minute' AS at
    FROM generate_series(1, %(rows)s) n
)
SELECT calls.*, people.org_id, people.user_id, people.principal_id,
    uuidv7(calls.at - now()) AS reservation_id, uuidv7(calls.at - now()) AS entry_id,
    CASE WHEN n %% 4 = 0 THEN 'chat' ELSE 'code' END AS surface,
    CASE WHEN n %% 10 = 0 THEN 'review' END AS feature,
    'acme/repository-' || (calls.person * 7 + n %% 2) %% 200 AS repository,
    'session-' || calls.person || '-' || date(calls.at) AS session_id,
    -- All rates are whole nano-dollars, so that nothing is rounded.
    (input_tokens * price.input_picousd + output_tokens * price.output_picousd
        + read_tokens * price.cache_read_picousd + write_tokens * price.cache_write_5m_picousd) / 1000
        AS amount,
    date_trunc('day', calls.at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS day,
    date_trunc('week', calls.at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS week,
    date_trunc('month', calls.at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS month
FROM calls
JOIN people USING (person)
JOIN prices price ON price.model = calls.model AND price.above_prompt_tokens = 0
"""
_WINDOWS = (
    ("daily", "day", "user", "principal_id"),
    ("weekly", "week", "user", "principal_id"),
    ("monthly", "month", "user", "principal_id"),
    ("monthly", "month", "organization", "org_id"),
)
_COUNTERS = """
INSERT INTO spend_counters (
    org_id, id, scope_type, scope_id, "window", starts_at, ends_at, settled_nanousd, reserved_nanousd,
    noticed_percent
)
SELECT org_id, gen_random_uuid(), '{scope_type}', {scope_id}, '{window}', {start},
    (({start} AT TIME ZONE 'UTC') + interval '1 {start}') AT TIME ZONE 'UTC', sum(amount), 0, 0
FROM made GROUP BY org_id, {scope_id}, {start}
"""
_WITH_COUNTERS = """
CREATE TEMPORARY TABLE booked AS
SELECT made.*, ARRAY[day_of.id, week_of.id, month_of.id, everybody.id] AS counter_ids
FROM made
JOIN spend_counters day_of ON day_of.scope_id = principal_id AND day_of."window" = 'daily'
    AND day_of.starts_at = made.day
JOIN spend_counters week_of ON week_of.scope_id = principal_id AND week_of."window" = 'weekly'
    AND week_of.starts_at = made.week
JOIN spend_counters month_of ON month_of.scope_id = principal_id AND month_of."window" = 'monthly'
    AND month_of.starts_at = made.month
JOIN spend_counters everybody ON everybody.scope_id = made.org_id AND everybody.starts_at = made.month
ORDER BY at
"""
_RESERVATIONS = """
INSERT INTO reservations (
    org_id, id, principal_id, user_id, state, revoked, dispatched, surface, model, priced_as, batch,
    repository, feature, session_id, reserved_nanousd, max_overrun_nanousd, settled_nanousd, counter_ids,
    authorized_at, expires_at, ended_at
)
SELECT org_id, reservation_id, principal_id, user_id, 'settled', false, true, surface, model, model, false,
    repository, feature, session_id, 2 * amount, 0, amount, counter_ids, at, at + interval '15 minutes',
    at + interval '8 seconds'
FROM booked
"""
_ENTRIES = """
INSERT INTO ledger_entries (
    org_id, id, kind, reservation_id, principal_id, user_id, amount_nanousd, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_5m_input_tokens, cache_creation_1h_input_tokens, surface, model,
    priced_as, batch, repository, feature, session_id, counter_ids, occurred_at, recorded_at
)
SELECT org_id, entry_id, 'usage', reservation_id, principal_id, user_id, amount, input_tokens, output_tokens,
    read_tokens, write_tokens, 0, surface, model, model, false, repository, feature, session_id, counter_ids,
    at, at + interval '8 seconds'
FROM booked
"""


def fill(target: Target, org_id: str, rows: int) -> None:
    """So many calls of the organization's seated people, which it has spent nothing of before."""
    with psycopg.connect(target.owner_url.replace("+psycopg", "")) as connection:
        connection.execute("SELECT set_config('usher.org_id', %s, true)", [org_id])
        connection.execute("SET LOCAL work_mem = '256MB'")
        connection.execute(_MADE, {"rows": rows})
        for window, start, scope_type, scope_id in _WINDOWS:
            connection.execute(
                _COUNTERS.format(window=window, start=start, scope_type=scope_type, scope_id=scope_id)
            )
        for statement in ("ANALYZE made", "ANALYZE spend_counters", _WITH_COUNTERS, _RESERVATIONS, _ENTRIES):
            connection.execute(statement)


def verify(target: Target, port: int, org_id: str) -> int:
    """How many entries there are; raises `BenchError` unless every counter and sum is the ledger's."""
    container = Container(Settings.from_environment(target.environment(port)))
    with container.begin(write=False, caller=Caller(OPERATOR, "bench")) as services:
        services.uow.enter(org_id)
        found = services.get(SpendCheck).verify()
    container.database.dispose()
    if found.differences or found.entries_not_summed_up:
        raise BenchError(f"The ledger does not add up: {list(found.differences)[:3]}")
    return int(found.entries)
