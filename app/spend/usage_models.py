"""Reported usage, what reports are read from, and bills as tables. The ledger stays the one truth.

Days are ordinals of the calendar (`date.toordinal`) and months are counted from year 0, both in the
organization's zone.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    text,
)

from app.core.database import Id, Json, UtcDateTime
from app.core.tenancy import scoped_table

MEASURES = (
    "requests",
    "amount_nanousd",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_5m_input_tokens",
    "cache_creation_1h_input_tokens",
    "cache_saved_nanousd",
)
ASIDE = "reservation_id IS NULL"

# Each reported event once, for ever: the ids are the reporter's. One whose person is unknown is kept
# aside with all it said, in `payload`, until it is booked by a reservation of nothing that ends at once.
usage_events = scoped_table(
    "usage_events",
    Column("event_id", String(200), primary_key=True),
    Column("reservation_id", Id),
    Column("corrects_event_id", String(200)),
    Column("user_id", Id),
    Column("user_name_key", Text),
    Column("payload", Json),
    Column("received_at", UtcDateTime, nullable=False),
)
Index("ix_usage_events_reservation", usage_events.c.org_id, usage_events.c.reservation_id)
Index("ix_usage_events_corrects", usage_events.c.org_id, usage_events.c.corrects_event_id)
Index(
    "ix_usage_events_aside",
    usage_events.c.org_id,
    usage_events.c.event_id,
    postgresql_where=text(ASIDE),
    sqlite_where=text(ASIDE),
)

# The groups that somebody was in when money was spent, each distinct set once; the owner is the group of
# the first mapping, which bears the cost.
spend_group_sets = scoped_table(
    "spend_group_sets",
    Column("id", Id, primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("owner_group_id", Id),
)
Index(
    "uq_spend_group_sets_fingerprint",
    spend_group_sets.c.org_id,
    spend_group_sets.c.fingerprint,
    unique=True,
)
spend_group_set_members = scoped_table(
    "spend_group_set_members",
    Column("set_id", Id, primary_key=True),
    Column("group_id", Id, primary_key=True),
    ForeignKeyConstraint(["org_id", "set_id"], ["spend_group_sets.org_id", "spend_group_sets.id"]),
)

# Which groups a ledger entry is on account of. An entry with a row here is in the roll-ups.
ledger_attributions = scoped_table(
    "ledger_attributions",
    Column("entry_id", Id, primary_key=True),
    Column("set_id", Id, nullable=False),
    ForeignKeyConstraint(["org_id", "set_id"], ["spend_group_sets.org_id", "spend_group_sets.id"]),
)

# Sums of the ledger by day. `month` is the one in which they are billed: that of the day, unless it was
# closed by then. An absent feature or repository is the empty text.
usage_rollups = scoped_table(
    "usage_rollups",
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("principal_id", Id, primary_key=True),
    Column("set_id", Id, primary_key=True),
    Column("surface", String(16), primary_key=True),
    Column("model", Text, primary_key=True),
    Column("feature", Text, primary_key=True),
    Column("repository", Text, primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in MEASURES),
)
Index("ix_usage_rollups_month", usage_rollups.c.org_id, usage_rollups.c.month)

# How far the worker is: up to which moment of recording all is rolled up, when it last looked at seats and
# forecasts, and the last month that is closed.
spend_progress = scoped_table(
    "spend_progress",
    Column("rolled_up_to", UtcDateTime),
    Column("looked_at", UtcDateTime),
    Column("closed_month", Integer),
)

# What was said of a counter's forecast, once for each level.
forecast_notices = scoped_table(
    "forecast_notices",
    Column("counter_id", Id, primary_key=True),
    Column("percent", Integer, primary_key=True, autoincrement=False),
    Column("noticed_at", UtcDateTime, nullable=False),
)

# From when until when somebody took a place in the seat pool; at most one of a person is open.
seat_periods = scoped_table(
    "seat_periods",
    Column("id", Id, primary_key=True),
    Column("principal_id", Id, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime),
)
Index(
    "uq_seat_periods_open",
    seat_periods.c.org_id,
    seat_periods.c.principal_id,
    unique=True,
    postgresql_where=text("ends_at IS NULL"),
    sqlite_where=text("ends_at IS NULL"),
)
Index("ix_seat_periods_ends_at", seat_periods.c.org_id, seat_periods.c.ends_at)

# A closed month, stored once and never changed, and its lines, one for each person.
bills = scoped_table(
    "bills",
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("seat_days", Integer, nullable=False),
    Column("seats_nanousd", BigInteger, nullable=False),
    Column("usage_nanousd", BigInteger, nullable=False),
    Column("closed_at", UtcDateTime, nullable=False),
)
bill_lines = scoped_table(
    "bill_lines",
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("principal_id", Id, primary_key=True),
    Column("seat_days", Integer, nullable=False),
    Column("seats_nanousd", BigInteger, nullable=False),
    Column("usage_nanousd", BigInteger, nullable=False),
    ForeignKeyConstraint(["org_id", "month"], ["bills.org_id", "bills.month"]),
)

# What was bought beforehand: so much money or so many tokens, or both, between two days inclusive.
contracts = scoped_table(
    "contracts",
    Column("id", Id, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("starts_on", Integer, nullable=False),
    Column("ends_on", Integer, nullable=False),
    Column("cap_nanousd", BigInteger),
    Column("cap_tokens", BigInteger),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint("starts_on <= ends_on", name="ends_on"),
    CheckConstraint("cap_nanousd IS NOT NULL OR cap_tokens IS NOT NULL", name="cap"),
)
