"""What the REST layer itself stores: the answers to requests that carried an `Idempotency-Key`."""

from sqlalchemy import Column, Index, Integer, String, Text

from app.core.database import Id, UtcDateTime
from app.core.tenancy import scoped_table

MAX_KEY_LENGTH = 255

# A row exists from the start of its request's transaction on; status and body follow before the
# commit, so whoever can see a row of another transaction sees it whole.
idempotency_keys = scoped_table(
    "idempotency_keys",
    # A credential or a session.
    Column("bearer_id", Id, primary_key=True),
    Column("key", String(MAX_KEY_LENGTH), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer),
    Column("body", Text),
    Column("created_at", UtcDateTime, nullable=False),
)
Index("ix_idempotency_keys_created_at", idempotency_keys.c.org_id, idempotency_keys.c.created_at)
