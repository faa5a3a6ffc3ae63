"""What signing in leaves behind, as tables: requests, assertions, identities, sessions, traces."""

from sqlalchemy import (
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
from app.directory.models import one_of

SUBJECT_SOURCES = ("name_id", "attribute")
SESSION_KINDS = ("sso", "console", "break_glass")
OUTCOMES = ("accepted", "refused", "bounced")

# One login under way. It is found by its relay handle through `lookups`, is good for one browser and
# one answer, and is consumed by one conditional update.
login_requests = scoped_table(
    "login_requests",
    Column("id", Id, primary_key=True),
    Column("connection_id", Id, nullable=False),
    # The ID of the AuthnRequest, which the signed confirmation must name.
    Column("request_id", String(64), nullable=False),
    Column("handle_hash", String(64), nullable=False),
    # SHA-256 of what the browser's cookie holds.
    Column("browser_hash", String(64), nullable=False),
    Column("return_to", Text, nullable=False),
    # How often this login was begun anew because the IdP answered unasked.
    Column("bounces", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("consumed_at", UtcDateTime),
    # The session that the browser fetches in its second step, by one conditional update as well.
    Column("session_id", Id),
    Column("redeemed_at", UtcDateTime),
    ForeignKeyConstraint(["org_id", "connection_id"], ["connections.org_id", "connections.id"]),
)
Index("ix_login_requests_expires_at", login_requests.c.org_id, login_requests.c.expires_at)

# Assertions that have been used; kept until nobody could use them any more.
consumed_assertions = scoped_table(
    "consumed_assertions",
    Column("connection_id", Id, primary_key=True),
    # SHA-256 of the assertion's ID.
    Column("assertion_hash", String(64), primary_key=True),
    Column("consumed_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["org_id", "connection_id"], ["connections.org_id", "connections.id"]),
)
Index("ix_consumed_assertions_expires_at", consumed_assertions.c.org_id, consumed_assertions.c.expires_at)

# Who somebody is at one connection. The subject is the key; the address is data.
identities = scoped_table(
    "identities",
    Column("id", Id, primary_key=True),
    Column("connection_id", Id, nullable=False),
    Column("subject", Text, nullable=False),
    Column("subject_source", String(16), nullable=False),
    Column("user_id", Id, nullable=False),
    Column("name_id", Text, nullable=False),
    Column("name_id_format", Text),
    Column("email", Text),
    Column("email_key", Text),
    # Whether the person came into being by this sign-in.
    Column("jit", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_signed_in_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["org_id", "connection_id"], ["connections.org_id", "connections.id"]),
    ForeignKeyConstraint(["org_id", "user_id"], ["users.org_id", "users.id"]),
    CheckConstraint(one_of("subject_source", SUBJECT_SOURCES), name="subject_source"),
)
Index(
    "uq_identities_subject",
    identities.c.org_id,
    identities.c.connection_id,
    identities.c.subject,
    unique=True,
)
Index("ix_identities_user", identities.c.org_id, identities.c.user_id, identities.c.last_signed_in_at)

sessions = scoped_table(
    "sessions",
    Column("id", Id, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("user_id", Id, nullable=False),
    Column("principal_id", Id, nullable=False),
    # Null for sign-ins that no IdP vouched for.
    Column("connection_id", Id),
    Column("identity_id", Id),
    # SHA-256 of what the cookie holds, as in `lookups`.
    Column("secret_hash", String(64), nullable=False),
    Column("name_id", Text),
    Column("session_index", Text),
    # What reminds an OpenID provider of the session at a sign-out; under AES-GCM, and which key it is under.
    Column("sealed_id_token", Text),
    Column("sealing_key_id", String(16)),
    Column("authenticated_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("idle_ends_at", UtcDateTime, nullable=False),
    # The absolute end, or the IdP's SessionNotOnOrAfter if that is earlier.
    Column("expires_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("end_reason", String(32)),
    Column("user_agent", Text),
    Column("address", String(64)),
    ForeignKeyConstraint(["org_id", "user_id"], ["users.org_id", "users.id"]),
    ForeignKeyConstraint(["org_id", "principal_id"], ["principals.org_id", "principals.id"]),
    ForeignKeyConstraint(["org_id", "connection_id"], ["connections.org_id", "connections.id"]),
    ForeignKeyConstraint(["org_id", "identity_id"], ["identities.org_id", "identities.id"]),
    CheckConstraint(one_of("kind", SESSION_KINDS), name="kind"),
)
Index(
    "ix_sessions_live_user",
    sessions.c.org_id,
    sessions.c.user_id,
    postgresql_where=text("ended_at IS NULL"),
    sqlite_where=text("ended_at IS NULL"),
)
Index(
    "ix_sessions_live_connection",
    sessions.c.org_id,
    sessions.c.connection_id,
    sessions.c.name_id,
    postgresql_where=text("ended_at IS NULL"),
    sqlite_where=text("ended_at IS NULL"),
)
Index("ix_sessions_expires_at", sessions.c.org_id, sessions.c.expires_at)

# One attempt to sign in: how far it came, and why not further.
login_traces = scoped_table(
    "login_traces",
    Column("id", Id, primary_key=True),
    Column("connection_id", Id),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("outcome", String(8), nullable=False),
    Column("step", String(32), nullable=False),
    Column("reason", String(64)),
    # What the page of a refusal shows, so that it can be asked for.
    Column("reference", String(64), nullable=False),
    Column("email_key", Text),
    Column("user_id", Id),
    Column("session_id", Id),
    Column("expected", Json),
    Column("received", Json),
    Column("hint", Text),
    # The message with everything secret struck out: of SAML, or the claims of a token.
    Column("xml", Text),
    Column("claims", Text),
    CheckConstraint(one_of("outcome", OUTCOMES), name="outcome"),
)
Index("ix_login_traces_occurred_at", login_traces.c.org_id, login_traces.c.occurred_at, login_traces.c.id)
Index(
    "ix_login_traces_connection",
    login_traces.c.org_id,
    login_traces.c.connection_id,
    login_traces.c.occurred_at,
    login_traces.c.id,
)
Index(
    "ix_login_traces_email_key",
    login_traces.c.org_id,
    login_traces.c.email_key,
    login_traces.c.occurred_at,
    login_traces.c.id,
)
Index("ix_login_traces_reference", login_traces.c.org_id, login_traces.c.reference)
