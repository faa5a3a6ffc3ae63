"""Prices, counters, reservations and the ledger as tables."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    text,
)

from app.core.database import Id, UtcDateTime
from app.core.sql import IdList
from app.core.tenancy import scoped_table
from app.directory.models import one_of
from app.governance.models import WINDOWS

COUNTED = ("user", "group", "organization")
# An open or closing reservation holds its amount; the others have ended.
STATES = ("open", "closing", "settled", "voided", "expired")
HOLDING = "state IN ('open', 'closing')"

# What a token costs from `starts_at` on, for prompts of more than `above_prompt_tokens`. A row is never
# changed: the next price is another row.
prices = scoped_table(
    "prices",
    Column("id", Id, primary_key=True),
    Column("model", Text, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("above_prompt_tokens", Integer, nullable=False),
    # Pico-dollars for each token, because real rates are finer than a nano-dollar.
    Column("input_picousd", BigInteger, nullable=False),
    Column("output_picousd", BigInteger, nullable=False),
    Column("cache_read_picousd", BigInteger, nullable=False),
    Column("cache_write_5m_picousd", BigInteger, nullable=False),
    Column("cache_write_1h_picousd", BigInteger, nullable=False),
    # The share of all this that a batch costs.
    Column("batch_percent", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
Index(
    "uq_prices_model",
    prices.c.org_id,
    prices.c.model,
    prices.c.starts_at,
    prices.c.above_prompt_tokens,
    unique=True,
)

# What was settled and is reserved in one window of one scope. Opened by the first authorization in the
# window and never reset: the next window is another row. `limit_nanousd` is the cap that was last decided
# by, and `noticed_percent` how much of it was announced.
spend_counters = scoped_table(
    "spend_counters",
    Column("id", Id, primary_key=True),
    Column("scope_type", String(16), nullable=False),
    # A principal, a group or the organization itself.
    Column("scope_id", Id, nullable=False),
    Column("window", String(16), nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("settled_nanousd", BigInteger, nullable=False),
    Column("reserved_nanousd", BigInteger, nullable=False),
    Column("limit_nanousd", BigInteger),
    Column("noticed_percent", Integer, nullable=False),
    CheckConstraint(one_of("scope_type", COUNTED), name="scope_type"),
    CheckConstraint(one_of('"window"', WINDOWS), name="window"),
    CheckConstraint("reserved_nanousd >= 0", name="reserved_nanousd"),
)
Index(
    "uq_spend_counters_scope",
    spend_counters.c.org_id,
    spend_counters.c.scope_type,
    spend_counters.c.scope_id,
    spend_counters.c.window,
    spend_counters.c.ends_at,
    unique=True,
)

# Money held for one call. `counter_ids` are the counters that hold it, in the order in which they lock.
reservations = scoped_table(
    "reservations",
    Column("id", Id, primary_key=True),
    Column("principal_id", Id, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("state", String(8), nullable=False),
    # Closing under the policy `cut`: the gateway should break the call off.
    Column("revoked", Boolean, nullable=False),
    # Whether bytes were sent: then an expired reservation is booked, else it is freed.
    Column("dispatched", Boolean, nullable=False),
    Column("surface", String(16), nullable=False),
    Column("model", Text, nullable=False),
    Column("priced_as", Text, nullable=False),
    Column("batch", Boolean, nullable=False),
    Column("repository", Text),
    Column("feature", Text),
    Column("session_id", Text),
    Column("reserved_nanousd", BigInteger, nullable=False),
    Column("max_overrun_nanousd", BigInteger, nullable=False),
    Column("settled_nanousd", BigInteger),
    Column("counter_ids", IdList(), nullable=False),
    Column("authorized_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    ForeignKeyConstraint(["org_id", "principal_id"], ["principals.org_id", "principals.id"]),
    CheckConstraint(one_of("state", STATES), name="state"),
    CheckConstraint("reserved_nanousd >= 0", name="reserved_nanousd"),
)
Index(
    "ix_reservations_holding_user",
    reservations.c.org_id,
    reservations.c.user_id,
    postgresql_where=text(HOLDING),
    sqlite_where=text(HOLDING),
)
Index(
    "ix_reservations_holding_expiry",
    reservations.c.org_id,
    reservations.c.expires_at,
    postgresql_where=text(HOLDING),
    sqlite_where=text(HOLDING),
)

# What was spent, never changed and never deleted. The sums of its amounts are the counters.
ledger_entries = scoped_table(
    "ledger_entries",
    Column("id", Id, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("reservation_id", Id),
    Column("principal_id", Id, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("amount_nanousd", BigInteger, nullable=False),
    # Null where only the cost was reported.
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cache_read_input_tokens", BigInteger),
    Column("cache_creation_5m_input_tokens", BigInteger),
    Column("cache_creation_1h_input_tokens", BigInteger),
    Column("surface", String(16), nullable=False),
    Column("model", Text, nullable=False),
    Column("priced_as", Text, nullable=False),
    Column("batch", Boolean, nullable=False),
    Column("repository", Text),
    Column("feature", Text),
    Column("session_id", Text),
    Column("counter_ids", IdList(), nullable=False),
    # When the call was authorized, which decides the window; and when its cost was known.
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["org_id", "principal_id"], ["principals.org_id", "principals.id"]),
    CheckConstraint(one_of("kind", ("usage", "expired")), name="kind"),
)
Index(
    "uq_ledger_entries_reservation",
    ledger_entries.c.org_id,
    ledger_entries.c.reservation_id,
    unique=True,
)
Index("ix_ledger_entries_occurred_at", ledger_entries.c.org_id, ledger_entries.c.occurred_at)
Index(
    "ix_ledger_entries_recorded_at",
    ledger_entries.c.org_id,
    ledger_entries.c.recorded_at,
    ledger_entries.c.id,
)
Index(
    "ix_ledger_entries_session",
    ledger_entries.c.org_id,
    ledger_entries.c.session_id,
    ledger_entries.c.id,
    postgresql_where=text("session_id IS NOT NULL"),
    sqlite_where=text("session_id IS NOT NULL"),
)
