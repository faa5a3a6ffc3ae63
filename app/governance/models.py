"""Roles, mappings, seats and limits as tables."""

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
)

from app.core.database import Id, Json, UtcDateTime
from app.core.tenancy import scoped_table

SEAT_ON = ("provision", "login")
WINDOWS = ("five_hour", "daily", "weekly", "monthly")

roles = scoped_table(
    "roles",
    Column("id", Id, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("name_key", String(100), nullable=False),
    Column("built_in", Boolean, nullable=False),
    Column("surfaces", Json, nullable=False),
    Column("models", Json),
    Column("permissions", Json, nullable=False),
    Column("denies", Json, nullable=False),
    Column("seat", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
Index("uq_roles_name_key", roles.c.org_id, roles.c.name_key, unique=True)

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

# One row for each person who ever had or awaited a seat. `manual_role_id` is the manual source; the
# group sources follow from memberships and are stored as they were when the state was decided.
seats = scoped_table(
    "seats",
    Column("user_id", Id, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("role_id", Id),
    Column("surfaces", Json, nullable=False),
    Column("sources", Json, nullable=False),
    Column("manual_role_id", Id),
    Column("reason", Text),
    Column("since", UtcDateTime, nullable=False),
    # The declared order of the waiting list: mapping order, then the time of asking.
    Column("waiting_rank", Integer, nullable=False),
    ForeignKeyConstraint(["org_id", "user_id"], ["users.org_id", "users.id"]),
    ForeignKeyConstraint(["org_id", "role_id"], ["roles.org_id", "roles.id"]),
    ForeignKeyConstraint(["org_id", "manual_role_id"], ["roles.org_id", "roles.id"]),
    CheckConstraint("state IN ('assigned', 'waitlisted', 'suspended', 'released')", name="state"),
)
Index("ix_seats_waiting", seats.c.org_id, seats.c.state, seats.c.waiting_rank, seats.c.since)

# The one door of every seat: while there is a `quantity`, `assigned` counts assigned and suspended seats
# and never passes it; without one, nothing is counted.
seat_pools = scoped_table(
    "seat_pools",
    Column("quantity", Integer),
    Column("assigned", Integer, nullable=False),
    CheckConstraint("assigned >= 0", name="assigned"),
    CheckConstraint("quantity IS NULL OR assigned <= quantity", name="quantity"),
)

spend_limits = scoped_table(
    "spend_limits",
    Column("scope_type", String(16), primary_key=True),
    Column("scope_id", Id, primary_key=True),
    Column("window", String(16), primary_key=True),
    Column("amount_nanousd", BigInteger, nullable=False),
    CheckConstraint("scope_type IN ('role')", name="scope_type"),
    CheckConstraint("\"window\" IN ('five_hour', 'daily', 'weekly', 'monthly')", name="window"),
    CheckConstraint("amount_nanousd >= 0", name="amount_nanousd"),
)
