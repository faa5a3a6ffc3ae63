"""What SCIM itself stores: the trace of each request, kept for a while (`USHER_SCIM_TRACE_DAYS`).

No foreign keys: a trace outlives whom it is about, and writing one waits for nobody's lock.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Text, text

from app.core.database import Id, Json, UtcDateTime
from app.core.tenancy import scoped_table

scim_requests = scoped_table(
    "scim_requests",
    Column("id", Id, primary_key=True),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("method", String(16), nullable=False),
    Column("path", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("scim_type", String(32)),
    Column("detail", Text),
    Column("duration_microseconds", BigInteger, nullable=False),
    Column("credential_id", Id, nullable=False),
    Column("user_agent", Text),
    Column("request_id", String(64), nullable=False),
    Column("user_id", Id),
    Column("group_id", Id),
    Column("tolerances", Json, nullable=False),
    Column("changed", Json, nullable=False),
    # Masked; null where the request only read and was not refused.
    Column("request_body", Text),
    Column("response_body", Text),
)

_newest = (scim_requests.c.occurred_at, scim_requests.c.id)
Index("ix_scim_requests_occurred_at", scim_requests.c.org_id, *_newest)
# Lists of one person, one group and of refusals: partial, because most requests are in none of them
# and each index is paid for by every request.
Index(
    "ix_scim_requests_user_id",
    scim_requests.c.org_id,
    scim_requests.c.user_id,
    *_newest,
    postgresql_where=text("user_id IS NOT NULL"),
    sqlite_where=text("user_id IS NOT NULL"),
)
Index(
    "ix_scim_requests_group_id",
    scim_requests.c.org_id,
    scim_requests.c.group_id,
    *_newest,
    postgresql_where=text("group_id IS NOT NULL"),
    sqlite_where=text("group_id IS NOT NULL"),
)
Index(
    "ix_scim_requests_refused",
    scim_requests.c.org_id,
    scim_requests.c.status,
    *_newest,
    postgresql_where=text("status >= 400"),
    sqlite_where=text("status >= 400"),
)
