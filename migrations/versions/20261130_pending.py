"""On PostgreSQL the function that finds what is not summed up yet, by keys only."""

from alembic import op

revision = "20261130_pending"
down_revision = "20261130_covering_claims"
branch_labels = None
depends_on = None

# The plan is made once, perhaps while a table is empty: it must walk the ledger in order and look each
# entry up by its key. Subqueries for one value cannot become joins, which would read all marks at once.
PENDING = """
CREATE FUNCTION spend_pending(p_org uuid, p_since timestamptz, p_most integer)
RETURNS TABLE (
    id uuid, recorded_at timestamptz, occurred_at timestamptz, principal_id uuid, user_id uuid,
    amount_nanousd bigint, input_tokens bigint, output_tokens bigint, cache_read_input_tokens bigint,
    cache_creation_5m_input_tokens bigint, cache_creation_1h_input_tokens bigint, surface text, model text,
    priced_as text, batch boolean, feature text, repository text, is_correction boolean
)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT entry.id, entry.recorded_at, entry.occurred_at, entry.principal_id, entry.user_id,
        entry.amount_nanousd, entry.input_tokens, entry.output_tokens, entry.cache_read_input_tokens,
        entry.cache_creation_5m_input_tokens, entry.cache_creation_1h_input_tokens, entry.surface::text,
        entry.model, entry.priced_as, entry.batch, entry.feature, entry.repository,
        (
            SELECT event.corrects_event_id FROM usage_events event
            WHERE event.org_id = p_org AND event.reservation_id = entry.reservation_id
        ) IS NOT NULL
    FROM ledger_entries entry
    WHERE entry.org_id = p_org AND entry.recorded_at >= p_since
        AND (
            SELECT mark.set_id FROM ledger_attributions mark
            WHERE mark.org_id = p_org AND mark.entry_id = entry.id
        ) IS NULL
    ORDER BY entry.recorded_at, entry.id
    LIMIT p_most;
END
$$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql(PENDING)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION spend_pending")
