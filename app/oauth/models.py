"""Applications that sign people in through us, and what that leaves behind, as tables."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from app.core.database import Id, Json, UtcDateTime, metadata
from app.core.tenancy import scoped_table

# A registered tool. It is found by its `client_id`, which is its id at the edge, through `lookups`.
applications = scoped_table(
    "applications",
    Column("id", Id, primary_key=True),
    Column("name", String(100), nullable=False),
    # Whether it can keep a secret; who cannot has none and proves itself by PKCE alone.
    Column("confidential", Boolean, nullable=False),
    Column("redirect_uris", Json, nullable=False),
    Column("post_logout_redirect_uris", Json, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("backchannel_logout_uri", Text),
    # Two secrets may be live at once, so that a rotation fails no sign-in.
    Column("secret_hash", String(64)),
    Column("previous_secret_hash", String(64)),
    Column("previous_secret_expires_at", UtcDateTime),
    Column("secret_rotated_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
)

# A code in the hands of a browser: good once, for one application, address and verifier.
authorization_codes = scoped_table(
    "authorization_codes",
    Column("id", Id, primary_key=True),
    Column("application_id", Id, nullable=False),
    Column("code_hash", String(64), nullable=False),
    Column("session_id", Id, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("code_challenge", String(43), nullable=False),
    Column("scopes", Json, nullable=False),
    Column("nonce", Text),
    Column("authenticated_at", UtcDateTime, nullable=False),
    Column("session_ends_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    # Redeemed, or made worthless by the end of its session.
    Column("consumed_at", UtcDateTime),
    ForeignKeyConstraint(["org_id", "application_id"], ["applications.org_id", "applications.id"]),
    ForeignKeyConstraint(["org_id", "user_id"], ["users.org_id", "users.id"]),
)
Index(
    "uq_authorization_codes_code_hash",
    authorization_codes.c.org_id,
    authorization_codes.c.code_hash,
    unique=True,
)
Index("ix_authorization_codes_session", authorization_codes.c.org_id, authorization_codes.c.session_id)
Index("ix_authorization_codes_expires_at", authorization_codes.c.org_id, authorization_codes.c.expires_at)

# A token in the hands of an application. It says what its person might do at `epoch`, so it is worth
# nothing once that has changed.
access_tokens = scoped_table(
    "access_tokens",
    Column("id", Id, primary_key=True),
    Column("application_id", Id, nullable=False),
    Column("code_id", Id, nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("session_id", Id, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("authenticated_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    ForeignKeyConstraint(["org_id", "application_id"], ["applications.org_id", "applications.id"]),
    ForeignKeyConstraint(["org_id", "user_id"], ["users.org_id", "users.id"]),
)
Index("uq_access_tokens_token_hash", access_tokens.c.org_id, access_tokens.c.token_hash, unique=True)
Index("ix_access_tokens_code", access_tokens.c.org_id, access_tokens.c.code_id)
Index("ix_access_tokens_session", access_tokens.c.org_id, access_tokens.c.session_id)
Index("ix_access_tokens_expires_at", access_tokens.c.org_id, access_tokens.c.expires_at)

# Which applications a session was carried into, and so who is to be told when it ends.
application_sessions = scoped_table(
    "application_sessions",
    Column("session_id", Id, primary_key=True),
    Column("application_id", Id, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["org_id", "application_id"], ["applications.org_id", "applications.id"]),
    ForeignKeyConstraint(["org_id", "user_id"], ["users.org_id", "users.id"]),
)
Index("ix_application_sessions_user", application_sessions.c.org_id, application_sessions.c.user_id)
Index("ix_application_sessions_created_at", application_sessions.c.org_id, application_sessions.c.created_at)

# The keys of the issuer, which is one for all organizations; nothing of any of them stands here. Which key
# signs follows from the time alone, so it is the same on every node: the latest that has become active.
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("id", Id, primary_key=True),
    # The public half as a JWK, and both as a sealed one.
    Column("public_jwk", Json, nullable=False),
    Column("sealed_private_jwk", Text, nullable=False),
    Column("sealing_key_id", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("active_at", UtcDateTime, nullable=False),
)
