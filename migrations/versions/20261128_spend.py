"""Prices, counters, reservations, the ledger; on PostgreSQL the two functions that move money."""

import uuid
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from app.core.sql import IdList
from app.spend.shipped_prices import shipped_rows

revision = "20261128_spend"
down_revision = "20261128_sign_in"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")
WHEN = sa.DateTime(timezone=True)
WINDOW = "\"window\" IN ('five_hour', 'daily', 'weekly', 'monthly')"
HOLDING = sa.text("state IN ('open', 'closing')")
IN_A_SESSION = sa.text("session_id IS NOT NULL")
TABLES = ("prices", "spend_counters", "reservations", "ledger_entries")
# The figures of ANALYZE: rows in all, of one organization, then of each further column.
FIGURES = {
    "prices": {"pk": "1000 1000 1", "uq_prices_model": "1000 1000 4 2 1"},
    "spend_counters": {"pk": "100000 100000 1", "uq_spend_counters_scope": "100000 100000 90000 40 12 1"},
    "reservations": {
        "pk": "100000 100000 1",
        "ix_reservations_holding_user": "1000 1000 2",
        "ix_reservations_holding_expiry": "1000 1000 2",
    },
    "ledger_entries": {
        "pk": "100000 100000 1",
        "uq_ledger_entries_reservation": "100000 100000 1",
        "ix_ledger_entries_occurred_at": "100000 100000 2",
        "ix_ledger_entries_session": "100000 100000 20 1",
    },
}
RETURNED = """
    RETURNS TABLE (
        verdict text, place integer, kind text, scope uuid, period text, closes_at timestamptz,
        settled bigint, reserved bigint, cap bigint, noticed integer
    )
    LANGUAGE plpgsql
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
"""
# The plans are made once, perhaps while the tables are empty; only the keys may be used.
HOLD = f"""
CREATE FUNCTION spend_hold(
    p_org uuid, p_now timestamptz, p_principal uuid, p_epoch integer, p_amount bigint,
    p_types text[], p_ids uuid[], p_windows text[], p_ends timestamptz[], p_limits bigint[],
    p_hards boolean[], p_musts boolean[], p_row jsonb
) {RETURNED} AS $$
#variable_conflict use_column
DECLARE
    person record;
    one record;
    counters uuid[];
    places integer[];
    is_refused boolean;
    is_missing boolean;
BEGIN
    SELECT active, seat_state, epoch INTO person FROM principals
    WHERE org_id = p_org AND id = p_principal FOR NO KEY UPDATE;
    IF NOT FOUND OR NOT person.active OR person.seat_state IS DISTINCT FROM 'assigned'
       OR person.epoch <> p_epoch THEN
        RETURN QUERY SELECT 'stale', null::integer, null, null::uuid, null, null::timestamptz,
            null::bigint, null::bigint, null::bigint, null::integer;
        RETURN;
    END IF;
    LOOP
        counters := '{{}}';
        places := '{{}}';
        is_refused := false;
        -- In the order of the arguments: the person's, pools by id, the organization's last.
        FOR one IN
            SELECT wanted.place::integer AS place, counter.id,
                counter.settled_nanousd + counter.reserved_nanousd AS used
            FROM unnest(p_types, p_ids, p_windows)
                WITH ORDINALITY AS wanted(scope_type, scope_id, "window", place)
            JOIN spend_counters counter
                ON counter.org_id = p_org AND counter.scope_type = wanted.scope_type
                AND counter.scope_id = wanted.scope_id AND counter."window" = wanted."window"
                AND counter.ends_at > p_now
            ORDER BY wanted.place, counter.ends_at
            FOR NO KEY UPDATE OF counter
        LOOP
            -- Of two open windows of a kind, one opened by a faster clock, the earlier is meant.
            CONTINUE WHEN one.place = places[cardinality(places)];
            counters := counters || one.id;
            places := places || one.place;
            is_refused := is_refused OR coalesce(
                p_hards[one.place] AND one.used + p_amount > p_limits[one.place], false
            );
        END LOOP;
        is_missing := false;
        FOR i IN 1 .. cardinality(p_types) LOOP
            IF NOT i = ANY(places) THEN
                is_missing := is_missing OR p_musts[i];
                is_refused := is_refused OR coalesce(p_hards[i] AND p_amount > p_limits[i], false);
            END IF;
        END LOOP;
        IF is_refused THEN
            RETURN QUERY
            SELECT 'refused', wanted.place::integer, wanted.scope_type, wanted.scope_id, wanted."window",
                counter.ends_at, coalesce(counter.settled_nanousd, 0), coalesce(counter.reserved_nanousd, 0),
                p_limits[wanted.place], coalesce(counter.noticed_percent, 0)
            FROM unnest(p_types, p_ids, p_windows)
                WITH ORDINALITY AS wanted(scope_type, scope_id, "window", place)
            LEFT JOIN spend_counters counter
                ON counter.org_id = p_org
                AND counter.id = counters[array_position(places, wanted.place::integer)];
            RETURN;
        END IF;
        EXIT WHEN NOT is_missing;
        -- Then all is looked at again, because somebody else may have opened one meanwhile.
        FOR i IN 1 .. cardinality(p_types) LOOP
            CONTINUE WHEN i = ANY(places) OR NOT p_musts[i];
            IF p_types[i] <> 'user' THEN
                PERFORM pg_advisory_xact_lock(
                    hashtextextended(concat_ws(' ', p_org, p_types[i], p_ids[i], p_windows[i]), 0)
                );
            END IF;
            INSERT INTO spend_counters (
                org_id, id, scope_type, scope_id, "window", starts_at, ends_at, settled_nanousd,
                reserved_nanousd, noticed_percent
            )
            SELECT p_org, gen_random_uuid(), p_types[i], p_ids[i], p_windows[i], p_now, p_ends[i], 0, 0, 0
            WHERE NOT EXISTS (
                SELECT 1 FROM spend_counters
                WHERE org_id = p_org AND scope_type = p_types[i] AND scope_id = p_ids[i]
                AND "window" = p_windows[i] AND ends_at > p_now
            );
        END LOOP;
    END LOOP;
    INSERT INTO reservations (
        org_id, id, principal_id, user_id, state, revoked, dispatched, surface, model, priced_as, batch,
        repository, feature, session_id, reserved_nanousd, max_overrun_nanousd, counter_ids,
        authorized_at, expires_at
    )
    VALUES (
        p_org, (p_row ->> 'id')::uuid, p_principal, (p_row ->> 'user_id')::uuid, 'open', false,
        (p_row ->> 'dispatched')::boolean, p_row ->> 'surface', p_row ->> 'model', p_row ->> 'priced_as',
        (p_row ->> 'batch')::boolean, p_row ->> 'repository', p_row ->> 'feature', p_row ->> 'session_id',
        p_amount, (p_row ->> 'max_overrun_nanousd')::bigint, counters, p_now,
        (p_row ->> 'expires_at')::timestamptz
    );
    RETURN QUERY
    UPDATE spend_counters counter
    SET reserved_nanousd = counter.reserved_nanousd + p_amount, limit_nanousd = p_limits[moving.place]
    FROM unnest(counters, places) AS moving(id, place)
    WHERE counter.org_id = p_org AND counter.id = moving.id
    RETURNING 'done', moving.place, counter.scope_type::text, counter.scope_id, counter."window"::text,
        counter.ends_at, counter.settled_nanousd, counter.reserved_nanousd, counter.limit_nanousd,
        counter.noticed_percent;
END
$$
"""
END = f"""
CREATE FUNCTION spend_end(
    p_org uuid, p_now timestamptz, p_principal uuid, p_reservation uuid, p_state text, p_cost bigint,
    p_may_notice boolean, p_entry jsonb
) {RETURNED} AS $$
#variable_conflict use_column
DECLARE
    held record;
    one record;
    levels integer[] := '{{}}';
    before integer[] := '{{}}';
    level integer;
    settled_then numeric;
    is_reached boolean := false;
BEGIN
    PERFORM 1 FROM principals WHERE org_id = p_org AND id = p_principal FOR NO KEY UPDATE;
    SELECT * INTO held FROM reservations
    WHERE org_id = p_org AND id = p_reservation AND state IN ('open', 'closing') FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'ended', null::integer, null, null::uuid, null, null::timestamptz,
            null::bigint, null::bigint, null::bigint, null::integer;
        RETURN;
    END IF;
    FOR one IN
        SELECT counter.settled_nanousd, counter.limit_nanousd, counter.noticed_percent
        FROM unnest(held.counter_ids) WITH ORDINALITY AS moving(id, place)
        JOIN spend_counters counter ON counter.org_id = p_org AND counter.id = moving.id
        ORDER BY moving.place
        FOR NO KEY UPDATE OF counter
    LOOP
        settled_then := (one.settled_nanousd + coalesce(p_cost, 0))::numeric * 100;
        level := CASE
            WHEN coalesce(one.limit_nanousd, 0) = 0 THEN 0
            WHEN settled_then >= one.limit_nanousd::numeric * 100 THEN 100
            WHEN settled_then >= one.limit_nanousd::numeric * 80 THEN 80
            WHEN settled_then >= one.limit_nanousd::numeric * 50 THEN 50
            ELSE 0
        END;
        is_reached := is_reached OR level > one.noticed_percent;
        levels := levels || greatest(level, one.noticed_percent);
        before := before || one.noticed_percent;
    END LOOP;
    IF is_reached AND NOT p_may_notice THEN
        RETURN QUERY SELECT 'notice', null::integer, null, null::uuid, null, null::timestamptz,
            null::bigint, null::bigint, null::bigint, null::integer;
        RETURN;
    END IF;
    UPDATE reservations SET state = p_state, settled_nanousd = p_cost, ended_at = p_now
    WHERE org_id = p_org AND id = p_reservation;
    IF p_cost IS NOT NULL THEN
        INSERT INTO ledger_entries (
            org_id, id, kind, reservation_id, principal_id, user_id, amount_nanousd, input_tokens,
            output_tokens, cache_read_input_tokens, cache_creation_5m_input_tokens,
            cache_creation_1h_input_tokens, surface, model, priced_as, batch, repository, feature,
            session_id, counter_ids, occurred_at, recorded_at
        )
        VALUES (
            p_org, (p_entry ->> 'id')::uuid, p_entry ->> 'kind', held.id, held.principal_id, held.user_id,
            p_cost, (p_entry ->> 'input_tokens')::bigint, (p_entry ->> 'output_tokens')::bigint,
            (p_entry ->> 'cache_read_input_tokens')::bigint,
            (p_entry ->> 'cache_creation_5m_input_tokens')::bigint,
            (p_entry ->> 'cache_creation_1h_input_tokens')::bigint,
            held.surface, held.model, held.priced_as, held.batch, held.repository, held.feature,
            held.session_id, held.counter_ids, held.authorized_at, p_now
        );
    END IF;
    RETURN QUERY
    UPDATE spend_counters counter
    SET reserved_nanousd = counter.reserved_nanousd - held.reserved_nanousd,
        settled_nanousd = counter.settled_nanousd + coalesce(p_cost, 0),
        noticed_percent = levels[moving.place]
    FROM unnest(held.counter_ids) WITH ORDINALITY AS moving(id, place)
    WHERE counter.org_id = p_org AND counter.id = moving.id
    RETURNING 'done', moving.place::integer, counter.scope_type::text, counter.scope_id,
        counter."window"::text, counter.ends_at, counter.settled_nanousd, counter.reserved_nanousd,
        counter.limit_nanousd, before[moving.place];
END
$$
"""


def upgrade() -> None:
    _create_prices()
    _create_counters()
    _create_reservations()
    _create_ledger()
    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        op.execute("ALTER TABLE organizations NO FORCE ROW LEVEL SECURITY")
    _fill_price_books()
    if dialect == "postgresql":
        op.execute("ALTER TABLE organizations FORCE ROW LEVEL SECURITY")
        for table in TABLES:
            _fence(table)
        # Room on each page, so that moving money touches no index. Of the one counter that everybody moves,
        # as many versions are alive at a time as there are calls waiting for it.
        op.execute("ALTER TABLE spend_counters SET (fillfactor = 25)")
        op.execute("ALTER TABLE reservations SET (fillfactor = 50)")
        op.get_bind().exec_driver_sql(HOLD)
        op.get_bind().exec_driver_sql(END)
    else:
        _describe_indexes()


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION spend_end")
        op.execute("DROP FUNCTION spend_hold")
    for table in reversed(TABLES):
        op.drop_table(table)


def _create_prices() -> None:
    op.create_table(
        "prices",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("starts_at", WHEN, nullable=False),
        sa.Column("above_prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("input_picousd", sa.BigInteger(), nullable=False),
        sa.Column("output_picousd", sa.BigInteger(), nullable=False),
        sa.Column("cache_read_picousd", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_5m_picousd", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_1h_picousd", sa.BigInteger(), nullable=False),
        sa.Column("batch_percent", sa.Integer(), nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_prices")),
    )
    op.create_index(
        "uq_prices_model", "prices", ["org_id", "model", "starts_at", "above_prompt_tokens"], unique=True
    )


def _create_counters() -> None:
    op.create_table(
        "spend_counters",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("scope_type", sa.String(length=16), nullable=False),
        sa.Column("scope_id", ID, nullable=False),
        sa.Column("window", sa.String(length=16), nullable=False),
        sa.Column("starts_at", WHEN, nullable=False),
        sa.Column("ends_at", WHEN, nullable=False),
        sa.Column("settled_nanousd", sa.BigInteger(), nullable=False),
        sa.Column("reserved_nanousd", sa.BigInteger(), nullable=False),
        sa.Column("limit_nanousd", sa.BigInteger(), nullable=True),
        sa.Column("noticed_percent", sa.Integer(), nullable=False),
        sa.CheckConstraint("reserved_nanousd >= 0", name=op.f("ck_spend_counters_reserved_nanousd")),
        sa.CheckConstraint(
            "scope_type IN ('user', 'group', 'organization')", name=op.f("ck_spend_counters_scope_type")
        ),
        sa.CheckConstraint(WINDOW, name=op.f("ck_spend_counters_window")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_spend_counters")),
    )
    op.create_index(
        "uq_spend_counters_scope",
        "spend_counters",
        ["org_id", "scope_type", "scope_id", "window", "ends_at"],
        unique=True,
    )


def _create_reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.Column("dispatched", sa.Boolean(), nullable=False),
        sa.Column("surface", sa.String(length=16), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("priced_as", sa.Text(), nullable=False),
        sa.Column("batch", sa.Boolean(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=True),
        sa.Column("feature", sa.Text(), nullable=True),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("reserved_nanousd", sa.BigInteger(), nullable=False),
        sa.Column("max_overrun_nanousd", sa.BigInteger(), nullable=False),
        sa.Column("settled_nanousd", sa.BigInteger(), nullable=True),
        sa.Column("counter_ids", IdList(), nullable=False),
        sa.Column("authorized_at", WHEN, nullable=False),
        sa.Column("expires_at", WHEN, nullable=False),
        sa.Column("ended_at", WHEN, nullable=True),
        sa.CheckConstraint("reserved_nanousd >= 0", name=op.f("ck_reservations_reserved_nanousd")),
        sa.CheckConstraint(
            "state IN ('open', 'closing', 'settled', 'voided', 'expired')",
            name=op.f("ck_reservations_state"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "principal_id"],
            ["principals.org_id", "principals.id"],
            name=op.f("fk_reservations_org_id_principal_id"),
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_reservations")),
    )
    for name, column in (
        ("ix_reservations_holding_user", "user_id"),
        ("ix_reservations_holding_expiry", "expires_at"),
    ):
        op.create_index(
            name,
            "reservations",
            ["org_id", column],
            unique=False,
            postgresql_where=HOLDING,
            sqlite_where=HOLDING,
        )


def _create_ledger() -> None:
    tokens = (
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_5m_input_tokens",
        "cache_creation_1h_input_tokens",
    )
    op.create_table(
        "ledger_entries",
        sa.Column("org_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reservation_id", ID, nullable=True),
        sa.Column("principal_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("amount_nanousd", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in tokens),
        sa.Column("surface", sa.String(length=16), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("priced_as", sa.Text(), nullable=False),
        sa.Column("batch", sa.Boolean(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=True),
        sa.Column("feature", sa.Text(), nullable=True),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("counter_ids", IdList(), nullable=False),
        sa.Column("occurred_at", WHEN, nullable=False),
        sa.Column("recorded_at", WHEN, nullable=False),
        sa.CheckConstraint("kind IN ('usage', 'expired')", name=op.f("ck_ledger_entries_kind")),
        sa.ForeignKeyConstraint(
            ["org_id", "principal_id"],
            ["principals.org_id", "principals.id"],
            name=op.f("fk_ledger_entries_org_id_principal_id"),
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_ledger_entries")),
    )
    op.create_index(
        "uq_ledger_entries_reservation", "ledger_entries", ["org_id", "reservation_id"], unique=True
    )
    op.create_index(
        "ix_ledger_entries_occurred_at", "ledger_entries", ["org_id", "occurred_at"], unique=False
    )
    op.create_index(
        "ix_ledger_entries_session",
        "ledger_entries",
        ["org_id", "session_id", "id"],
        unique=False,
        postgresql_where=IN_A_SESSION,
        sqlite_where=IN_A_SESSION,
    )


def _fill_price_books() -> None:
    """Organizations that are there already begin with the public prices too."""
    org_ids = op.get_bind().execute(sa.text("SELECT org_id FROM organizations")).scalars().all()
    now = datetime.now(UTC)
    rows = [
        {**row, "org_id": str(org_id), "id": str(uuid.uuid4()), "created_at": now}
        for org_id in org_ids
        for row in shipped_rows()
    ]
    if rows:
        types: dict[str, Any] = {"org_id": ID, "id": ID, "starts_at": WHEN, "created_at": WHEN}
        columns: list[sa.ColumnClause[object]] = [sa.column(name, types.get(name)) for name in rows[0]]
        op.bulk_insert(sa.table("prices", *columns), rows)


def _describe_indexes() -> None:
    bind = op.get_bind()
    for table, indexes in FIGURES.items():
        primary = f"SELECT name FROM pragma_index_list('{table}') WHERE origin = 'pk'"
        name_of = {"pk": bind.exec_driver_sql(primary).scalar_one()}
        for name, text in indexes.items():
            bind.exec_driver_sql(
                "INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", (table, name_of.get(name, name), text)
            )


def _fence(table: str) -> None:
    mine = "org_id = nullif(current_setting('usher.org_id', true), '')::uuid"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY organization ON {table} USING ({mine}) WITH CHECK ({mine})")
