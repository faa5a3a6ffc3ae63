"""Mappings, seats and limits as tables."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    text,
)

from app.core.database import Id, Json, UtcDateTime
from app.core.tenancy import scoped_table
from app.directory.models import one_of

SEAT_ON = ("provision", "login")
HELD_CAUSES = ("mass_removal", "mass_deactivation", "last_owner")
HELD_STATES = ("held", "approved", "discarded", "ended")
WINDOWS = ("five_hour", "daily", "weekly", "monthly")
SCOPE_TYPES = ("user", "role", "group", "organization")
MODES = ("hard", "soft")
INCREASE_STATES = ("pending", "approved", "denied")

group_mappings = scoped_table(
    "group_mappings",
    Column("id", Id, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("group_id", Id, nullable=False),
    Column("role_id", Id, nullable=False),
    Column("seat_on", String(16), nullable=False),
    Column("effective_at", UtcDateTime),
    Column("expires_at", UtcDateTime),
    # Whether it counted when its people were last decided about; time alone makes this differ from the
    # truth, which is what the worker looks for.
    Column("in_force", Boolean, nullable=False),
    ForeignKeyConstraint(["org_id", "group_id"], ["groups.org_id", "groups.id"]),
    ForeignKeyConstraint(["org_id", "role_id"], ["roles.org_id", "roles.id"]),
    CheckConstraint("seat_on IN ('provision', 'login')", name="seat_on"),
)
Index(
    "uq_group_mappings_group_role",
    group_mappings.c.org_id,
    group_mappings.c.group_id,
    group_mappings.c.role_id,
    unique=True,
)

# Every order that the list ever had, as it was stored.
group_mapping_versions = scoped_table(
    "group_mapping_versions",
    Column("version", Integer, primary_key=True),
    Column("id", Id, nullable=False),
    Column("mappings", Json, nullable=False),
    Column("actor_type", String(32), nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

# Gains and hand-overs too large for the request that caused them. What is left to do stands in
# `job_people` and in the waiting list itself, so that a killed worker loses nothing.
jobs = scoped_table(
    "jobs",
    Column("id", Id, primary_key=True),
    Column("state", String(16), nullable=False),
    # People: to be looked at, and looked at.
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    CheckConstraint("state IN ('running', 'finished')", name="state"),
)
Index("ix_jobs_state", jobs.c.org_id, jobs.c.state, jobs.c.id)
job_people = scoped_table(
    "job_people",
    Column("job_id", Id, primary_key=True),
    Column("user_id", Id, primary_key=True),
    ForeignKeyConstraint(["org_id", "job_id"], ["jobs.org_id", "jobs.id"]),
)

# One row for each person who ever had or awaited a seat. `manual_role_id` is the manual source, `given_by`
# and `reason` say whose word it is; the group sources follow from memberships and are stored as they were
# when the state was decided.
seats = scoped_table(
    "seats",
    Column("user_id", Id, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("role_id", Id),
    Column("surfaces", Json, nullable=False),
    Column("sources", Json, nullable=False),
    Column("manual_role_id", Id),
    Column("given_by", Json),
    Column("reason", Text),
    Column("since", UtcDateTime, nullable=False),
    # The declared order of the waiting list: mapping order, then the time of asking.
    Column("waiting_rank", Integer, nullable=False),
    # When the identity provider's word took the seat that is now released.
    Column("lost_at", UtcDateTime),
    ForeignKeyConstraint(["org_id", "user_id"], ["users.org_id", "users.id"]),
    ForeignKeyConstraint(["org_id", "role_id"], ["roles.org_id", "roles.id"]),
    ForeignKeyConstraint(["org_id", "manual_role_id"], ["roles.org_id", "roles.id"]),
    CheckConstraint("state IN ('assigned', 'waitlisted', 'suspended', 'released')", name="state"),
)
Index("ix_seats_waiting", seats.c.org_id, seats.c.state, seats.c.waiting_rank, seats.c.since)
Index(
    "ix_seats_lost_at",
    seats.c.org_id,
    seats.c.lost_at,
    postgresql_where=text("lost_at IS NOT NULL"),
    sqlite_where=text("lost_at IS NOT NULL"),
)

# The one door of every seat: while there is a `quantity`, `assigned` counts assigned and suspended seats
# and never passes it; without one, nothing is counted. `over_assigned` is what an ended contract left
# people with, and shrinks as they leave. `kept` places are nobody's and go to nobody who waits, see
# `held_changes`. At `turns_at` the contracts give another quantity.
seat_pools = scoped_table(
    "seat_pools",
    Column("quantity", Integer),
    Column("assigned", Integer, nullable=False),
    Column("kept", Integer, nullable=False),
    Column("over_assigned", Integer, nullable=False),
    Column("turns_at", UtcDateTime),
    CheckConstraint("assigned >= 0", name="assigned"),
    CheckConstraint("kept >= 0", name="kept"),
    CheckConstraint("over_assigned >= 0", name="over_assigned"),
    CheckConstraint("quantity IS NULL OR assigned + kept <= quantity + over_assigned", name="quantity"),
)

# What was bought, from one day to another, both included and without an end for good. The quantity of
# a day is the sum of its contracts; without any contract there is no limit.
seat_contracts = scoped_table(
    "seat_contracts",
    Column("position", Integer, primary_key=True),
    Column("quantity", Integer, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date),
    CheckConstraint("quantity >= 0", name="quantity"),
    CheckConstraint("ends_on IS NULL OR ends_on >= starts_on", name="ends_on"),
)

# Losses that wait for an administrator's word. One is open for each cause and group at a time, and ends by
# itself when nothing of it is left.
held_changes = scoped_table(
    "held_changes",
    Column("id", Id, primary_key=True),
    Column("cause", String(32), nullable=False),
    Column("group_id", Id),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime),
    Column("decided_by", Json),
    ForeignKeyConstraint(["org_id", "group_id"], ["groups.org_id", "groups.id"]),
    CheckConstraint(one_of("cause", HELD_CAUSES), name="cause"),
    CheckConstraint(one_of("state", HELD_STATES), name="state"),
)
Index("ix_held_changes_open", held_changes.c.org_id, held_changes.c.state, held_changes.c.cause)

# What is held of whom: a group that the person still counts as a member of, a role that they keep, or,
# with neither, a place in the pool that waits for their return.
holds = scoped_table(
    "holds",
    Column("held_change_id", Id, primary_key=True),
    Column("principal_id", Id, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("group_id", Id),
    Column("role_id", Id),
    Column("held_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["org_id", "held_change_id"], ["held_changes.org_id", "held_changes.id"]),
    ForeignKeyConstraint(["org_id", "principal_id"], ["principals.org_id", "principals.id"]),
    ForeignKeyConstraint(["org_id", "role_id"], ["roles.org_id", "roles.id"]),
)
Index("ix_holds_principal", holds.c.org_id, holds.c.principal_id)
Index("ix_holds_held_at", holds.c.org_id, holds.c.held_at)

# What somebody may spend in a window. A temporary limit lies over the standing one of the same scope and
# window until it expires; `amount_nanousd` is null where a person explicitly has no cap.
spend_limits = scoped_table(
    "spend_limits",
    Column("id", Id, primary_key=True),
    Column("scope_type", String(16), nullable=False),
    # A principal, role, group or the organization itself.
    Column("scope_id", Id, nullable=False),
    Column("window", String(16), nullable=False),
    Column("amount_nanousd", BigInteger),
    Column("mode", String(8), nullable=False),
    # One shared sum for all of the scope instead of one for each person.
    Column("pool", Boolean, nullable=False),
    Column("temporary", Boolean, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint(one_of("scope_type", SCOPE_TYPES), name="scope_type"),
    CheckConstraint(one_of('"window"', WINDOWS), name="window"),
    CheckConstraint(one_of("mode", MODES), name="mode"),
    CheckConstraint("amount_nanousd >= 0", name="amount_nanousd"),
    CheckConstraint("amount_nanousd IS NOT NULL OR scope_type = 'user'", name="no_cap"),
    CheckConstraint("temporary = (expires_at IS NOT NULL)", name="temporary"),
)
Index(
    "uq_spend_limits_scope",
    spend_limits.c.org_id,
    spend_limits.c.scope_type,
    spend_limits.c.scope_id,
    spend_limits.c.window,
    spend_limits.c.temporary,
    unique=True,
)

# Somebody's wish for more, and what became of it.
limit_increases = scoped_table(
    "limit_increases",
    Column("id", Id, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("window", String(16), nullable=False),
    Column("amount_nanousd", BigInteger, nullable=False),
    Column("reason", Text),
    Column("state", String(16), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("requested_by_type", String(32), nullable=False),
    Column("requested_by_id", Text, nullable=False),
    # What was granted, which may be less than asked for, and until when; null is for good.
    Column("granted_nanousd", BigInteger),
    Column("expires_at", UtcDateTime),
    Column("resolved_at", UtcDateTime),
    Column("resolved_by_type", String(32)),
    Column("resolved_by_id", Text),
    Column("resolution", Text),
    ForeignKeyConstraint(["org_id", "user_id"], ["users.org_id", "users.id"]),
    CheckConstraint(one_of('"window"', WINDOWS), name="window"),
    CheckConstraint(one_of("state", INCREASE_STATES), name="state"),
)
Index(
    "uq_limit_increases_pending",
    limit_increases.c.org_id,
    limit_increases.c.user_id,
    limit_increases.c.window,
    unique=True,
    postgresql_where=text("state = 'pending'"),
    sqlite_where=text("state = 'pending'"),
)
Index("ix_limit_increases_user", limit_increases.c.org_id, limit_increases.c.user_id, limit_increases.c.id)

# How far the weekly comparison of all people with what they should have has come: one row for each
# organization, held by whoever takes the next step.
reconciliations = scoped_table(
    "reconciliations",
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("after_user_id", Id, nullable=False),
    Column("checked", Integer, nullable=False),
    Column("found", Integer, nullable=False),
)
