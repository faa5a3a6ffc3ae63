"""The shared nouns as tables: organizations, people, groups, memberships, principals, roles, credentials.

Every key is led by `org_id`. A user's SCIM attributes are stored twice, both written once at change
time: `attributes` is the text that a SCIM answer sends, `search` is what filters compare (folded
strings, instants of fixed width). Neither is read to decide anything about access; that is what
`principals` is for.
"""

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

from app.core.database import Id, Json, UtcDateTime
from app.core.tenancy import scoped_table

RIGHTS_MODES = ("union", "first")
INFLIGHT_POLICIES = ("finish", "cut")
CREDENTIAL_KINDS = ("scim_token", "api_key")
SEAT_STATES = ("assigned", "waitlisted", "suspended", "released")


def one_of(column: str, values: tuple[str, ...]) -> str:
    """The text of a CHECK that stands in for a native enum."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


organizations = scoped_table(
    "organizations",
    Column("slug", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("zone", String(64), nullable=False),
    Column("rights_mode", String(8), nullable=False),
    # Whether the sessions of who lost their last mapped group end.
    Column("end_sessions_on_group_loss", Boolean, nullable=False),
    # After so many days without a sign-in a seat that came by signing in goes.
    Column("jit_seat_days", Integer, nullable=False),
    # Of one seat and month.
    Column("seat_fee_nanousd", BigInteger, nullable=False),
    # What becomes of running calls when somebody is taken away.
    Column("inflight_policy", String(8), nullable=False),
    # Whose price stands in for that of an unknown model; without one such a model is refused.
    Column("fallback_model", Text),
    # What nobody can have more than, as lists of `surfaces`, `models` and `permissions`.
    Column("ceiling", Json),
    # From which share and number of people on a loss of seats is held for an administrator.
    Column("removal_guard", Json, nullable=False),
    Column("mapping_version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint(one_of("rights_mode", RIGHTS_MODES), name="rights_mode"),
    CheckConstraint("jit_seat_days > 0", name="jit_seat_days"),
    CheckConstraint("seat_fee_nanousd >= 0", name="seat_fee_nanousd"),
    CheckConstraint(one_of("inflight_policy", INFLIGHT_POLICIES), name="inflight_policy"),
)

# One row for each person, which outlives deletion and re-creation in the IdP: spending counters,
# personal limits and an administrator's block hang on it. `users` writes `active`, governance writes
# the entitlement; every change raises `epoch`.
principals = scoped_table(
    "principals",
    Column("id", Id, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("blocked", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("seat_state", String(16)),
    Column("role_id", Id),
    Column("surfaces", Json, nullable=False),
    Column("models", Json),
    Column("denied_models", Json, nullable=False),
    Column("permissions", Json, nullable=False),
    # Of who exists only because they signed in: when they last did. Null once the IdP provisions them.
    Column("jit_signed_in_at", UtcDateTime),
    # Who suspended the person's seats, why and when; it outlives the seat.
    Column("suspension", Json),
    # Whether a held change (see governance) has something of this person's.
    Column("held", Boolean, nullable=False),
    # From here on the entitlement in this row is worth nothing: a mapping that gave it has expired, and
    # nobody has written that down yet. Whoever lets somebody do something asks for this as well.
    Column("lapses_at", UtcDateTime),
    CheckConstraint(one_of("seat_state", SEAT_STATES), name="seat_state"),
)
Index("ix_principals_org_id_user_id", principals.c.org_id, principals.c.user_id, unique=True)
Index(
    "ix_principals_jit_signed_in_at",
    principals.c.org_id,
    principals.c.jit_signed_in_at,
    postgresql_where=text("jit_signed_in_at IS NOT NULL"),
    sqlite_where=text("jit_signed_in_at IS NOT NULL"),
)

users = scoped_table(
    "users",
    Column("id", Id, primary_key=True),
    Column("principal_id", Id, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("user_name_key", Text, nullable=False),
    Column("external_id", Text),
    Column("display_name", Text),
    Column("email", Text),
    Column("email_key", Text),
    # Whom the IdP names as manager, if that can be somebody's id; nobody has to have it.
    Column("manager_id", Id),
    # `active` is what holds; `idp_active` is what the IdP last said, which an administrator's block
    # overrules without forgetting it.
    Column("active", Boolean, nullable=False),
    Column("idp_active", Boolean, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("search", Json, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_modified_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    ForeignKeyConstraint(["org_id", "principal_id"], ["principals.org_id", "principals.id"]),
)
Index(
    "uq_users_living_user_name_key",
    users.c.org_id,
    users.c.user_name_key,
    unique=True,
    postgresql_where=text("deleted_at IS NULL"),
    sqlite_where=text("deleted_at IS NULL"),
)
# A return is recognized by the name of the tombstone; the living stay out of this index.
Index(
    "ix_users_tombstone_user_name_key",
    users.c.org_id,
    users.c.user_name_key,
    postgresql_where=text("deleted_at IS NOT NULL"),
    sqlite_where=text("deleted_at IS NOT NULL"),
)
Index("ix_users_org_id_external_id", users.c.org_id, users.c.external_id)
Index("ix_users_org_id_email_key", users.c.org_id, users.c.email_key)
Index(
    "ix_users_manager",
    users.c.org_id,
    users.c.manager_id,
    postgresql_where=text("manager_id IS NOT NULL"),
    sqlite_where=text("manager_id IS NOT NULL"),
)

# Addresses of a person besides the one in `users.email_key`; most people have none, so that a new
# person is one row less. With the person in the index, a filter by address reads nothing else.
other_emails = scoped_table(
    "other_emails",
    Column("user_id", Id, primary_key=True),
    Column("email_key", Text, primary_key=True),
    ForeignKeyConstraint(["org_id", "user_id"], ["users.org_id", "users.id"]),
)
Index(
    "ix_other_emails_email_key",
    other_emails.c.org_id,
    other_emails.c.email_key,
    other_emails.c.user_id,
)

groups = scoped_table(
    "groups",
    Column("id", Id, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("display_name_key", Text, nullable=False),
    Column("external_id", Text),
    Column("attributes", Text, nullable=False),
    Column("search", Json, nullable=False),
    Column("member_count", Integer, nullable=False),
    # Known only from what sign-ins said of people; false once the IdP pushes the group.
    Column("jit", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_modified_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    CheckConstraint("member_count >= 0", name="member_count"),
)
Index(
    "uq_groups_living_display_name_key",
    groups.c.org_id,
    groups.c.display_name_key,
    unique=True,
    postgresql_where=text("deleted_at IS NULL"),
    sqlite_where=text("deleted_at IS NULL"),
)
Index("ix_groups_org_id_external_id", groups.c.org_id, groups.c.external_id)

memberships = scoped_table(
    "memberships",
    Column("group_id", Id, primary_key=True),
    Column("user_id", Id, primary_key=True),
    ForeignKeyConstraint(["org_id", "group_id"], ["groups.org_id", "groups.id"]),
    ForeignKeyConstraint(["org_id", "user_id"], ["users.org_id", "users.id"]),
)
# With the group in it, somebody's groups are read from the index alone.
Index("ix_memberships_user", memberships.c.org_id, memberships.c.user_id, memberships.c.group_id)

# Groups in groups: the edges as the IdP gave them, and for each group all groups around it, however far
# out, so that reading somebody's indirect groups climbs nothing. `nesting` writes both.
group_members = scoped_table(
    "group_members",
    Column("group_id", Id, primary_key=True),
    Column("member_group_id", Id, primary_key=True),
    ForeignKeyConstraint(["org_id", "group_id"], ["groups.org_id", "groups.id"]),
    ForeignKeyConstraint(["org_id", "member_group_id"], ["groups.org_id", "groups.id"]),
)
Index(
    "ix_group_members_member",
    group_members.c.org_id,
    group_members.c.member_group_id,
    group_members.c.group_id,
)
group_ancestors = scoped_table(
    "group_ancestors",
    Column("group_id", Id, primary_key=True),
    Column("ancestor_id", Id, primary_key=True),
    ForeignKeyConstraint(["org_id", "group_id"], ["groups.org_id", "groups.id"]),
    ForeignKeyConstraint(["org_id", "ancestor_id"], ["groups.org_id", "groups.id"]),
)
Index(
    "ix_group_ancestors_ancestor",
    group_ancestors.c.org_id,
    group_ancestors.c.ancestor_id,
    group_ancestors.c.group_id,
)

# What a group can give; governance writes it. Here because every part shows roles by name.
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

# SCIM tokens and API keys. Two secrets may be live at once, so that a rotation fails no request.
credentials = scoped_table(
    "credentials",
    Column("id", Id, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(200), nullable=False),
    Column("scopes", Json, nullable=False),
    Column("secret_hash", String(64), nullable=False),
    Column("previous_secret_hash", String(64)),
    Column("previous_expires_at", UtcDateTime),
    Column("expires_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    # When the present secret came, unless it is the first.
    Column("rotated_at", UtcDateTime),
    # How many days before the expiry the last notice of it was given; 0 once it has expired.
    Column("noticed_days", Integer),
    # What a SCIM connection may do beyond the RFC: "auto", "strict" or a list of names.
    Column("tolerances", Json),
    CheckConstraint(one_of("kind", CREDENTIAL_KINDS), name="kind"),
)
