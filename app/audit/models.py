"""The audit log and the outbox as tables.

A transaction inserts its entries without a position; the sequencer gives positions afterwards, one
writer at a time for each organization, so that readers see a log without gaps or late insertions.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, String, Text, text

from app.core.database import Id, Json, UtcDateTime
from app.core.tenancy import scoped_table

audit_events = scoped_table(
    "audit_events",
    Column("id", Id, primary_key=True),
    Column("position", BigInteger),
    Column("action", String(64), nullable=False),
    Column("actor_type", String(32), nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("target_type", String(32), nullable=False),
    Column("target_id", Id, nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("data", Json, nullable=False),
)
Index("uq_audit_events_position", audit_events.c.org_id, audit_events.c.position, unique=True)
Index("ix_audit_events_target", audit_events.c.org_id, audit_events.c.target_id, audit_events.c.position)
# What people did themselves; most entries are a connection's or a key's and stay out of it.
Index(
    "ix_audit_events_person",
    audit_events.c.org_id,
    audit_events.c.actor_id,
    audit_events.c.position,
    postgresql_where=text("actor_type = 'user'"),
    sqlite_where=text("actor_type = 'user'"),
)
Index(
    "ix_audit_events_unsequenced",
    audit_events.c.org_id,
    audit_events.c.id,
    postgresql_where=text("position IS NULL"),
    sqlite_where=text("position IS NULL"),
)

# The head of each organization's log; whoever sequences holds this row.
audit_heads = scoped_table("audit_heads", Column("next_position", BigInteger, nullable=False))

# Work that must happen because of a commit. A delivered message is deleted: the audit log keeps what
# happened, the outbox only what is still to be done.
outbox_messages = scoped_table(
    "outbox_messages",
    Column("id", Id, primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("payload", Json, nullable=False),
    Column("state", String(8), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("available_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_id", Id),
    Column("last_error", Text),
    CheckConstraint("state IN ('pending', 'dead')", name="state"),
)
Index(
    "ix_outbox_messages_due",
    outbox_messages.c.org_id,
    outbox_messages.c.available_at,
    postgresql_where=text("state = 'pending'"),
    sqlite_where=text("state = 'pending'"),
)
