"""What an organization sets up for single sign-on, as tables: domains, connections, certificates.

Who owns a verified domain is said by `lookups` alone (kind `captured_domain`), which can hold a name
once; a domain's `state` says how its proof stands. A second organization that proves control puts down
`disputed_domain`: neither may write the other's rows, so look-ups are where the two meet. So does an
owner whose proof is gone: `lapsed_domain`, which the owner's children must know (see `families`).
What signing in leaves behind is in `models_sign_in`.
The other look-ups of this part are `connection` (keyed by its id, because its URLs come without an
organization), `session` (the cookie) and `break_glass_code`.
"""

from collections.abc import Sequence

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
from app.sso.oidc.provider import SECRET_METHODS

DOMAIN_STATES = ("pending", "verified", "grace", "lapsed", "disputed")
PROOFS = ("dns", "https", "operator")
# What a look at the record told, see `domain_states`.
LOOKS = ("present", "published", "absent", "unknown")
PROTOCOLS = ("saml", "oidc")
MODES = ("off", "test", "optional", "enforced")
IDP_INITIATED = ("refuse", "bounce", "accept")
BINDINGS = ("redirect", "post")
# Which signatures a response must have.
SIGNED = ("any", "assertion", "response", "both")
SIDES = ("idp", "sp")
USES = ("signing", "encryption", "both")
KEY_STATES = ("next", "current", "retired")

# What only one protocol has, and always has.
_OF_SAML = ("sso_binding", "wants_signed_requests", "signed", "idp_initiated", "refuse_expired_certificates")
_OF_OIDC = (
    *("client_id", "token_endpoint", "secret_method", "jwks_uri", "jwks", "scopes"),
    *("names_itself", "tells_logouts"),
)


def _has_its_own(protocol: str, own: Sequence[str], others: Sequence[str]) -> str:
    parts = (*(f"{name} IS NOT NULL" for name in own), *(f"{name} IS NULL" for name in others))
    return f"protocol <> '{protocol}' OR ({' AND '.join(parts)})"


connections = scoped_table(
    "connections",
    Column("id", Id, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("protocol", String(8), nullable=False),
    Column("mode", String(8), nullable=False),
    # When `enforced` begins; until then the connection works as `optional`.
    Column("enforced_at", UtcDateTime),
    # How many days before that the last reminder was given.
    Column("reminded_days", Integer),
    # With OIDC the issuer, the authorization endpoint and the end session endpoint.
    Column("idp_entity_id", Text, nullable=False),
    Column("sso_url", Text, nullable=False),
    Column("slo_url", Text),
    Column("sso_binding", String(8)),
    Column("slo_binding", String(8)),
    # Where answers to the IdP's own logout requests go, if not to `slo_url`.
    Column("slo_response_url", Text),
    Column("wants_signed_requests", Boolean),
    Column("signed", String(16)),
    Column("idp_initiated", String(8)),
    Column("refuse_expired_certificates", Boolean),
    Column("client_id", Text),
    # Under AES-GCM, and which key it is under.
    Column("sealed_client_secret", Text),
    Column("sealing_key_id", String(16)),
    Column("token_endpoint", Text),
    Column("secret_method", String(24)),
    Column("userinfo_endpoint", Text),
    Column("jwks_uri", Text),
    # The public keys that sign, as they were read last.
    Column("jwks", Json),
    Column("scopes", Text),
    # Whether its answers carry `iss` (RFC 9207), and whether it knows back-channel logout.
    Column("names_itself", Boolean),
    Column("tells_logouts", Boolean),
    Column("jit", Boolean, nullable=False),
    # Our name of a value to the name of the IdP's attribute or claim.
    Column("attributes", Json, nullable=False),
    # Folded addresses of those who may sign in while the mode is `test`.
    Column("testers", Json, nullable=False),
    # With OIDC the address of the discovery document.
    Column("metadata_url", Text),
    Column("metadata_read_at", UtcDateTime),
    # When the metadata is to be read again; null without a URL.
    Column("metadata_due_at", UtcDateTime),
    Column("metadata_error", Text),
    # SHA-256 over everything that decides whether a sign-in works. A test proves one configuration.
    Column("configuration_hash", String(64), nullable=False),
    Column("tested_hash", String(64)),
    Column("tested_at", UtcDateTime),
    Column("tested_by_user_id", Id),
    # When an administrator last read who would be locked out.
    Column("lockout_read_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    # A deleted connection keeps its row for what refers to it, and loses its keys and its look-up.
    Column("deleted_at", UtcDateTime),
    CheckConstraint(one_of("protocol", PROTOCOLS), name="protocol"),
    CheckConstraint(one_of("mode", MODES), name="mode"),
    CheckConstraint(one_of("idp_initiated", IDP_INITIATED), name="idp_initiated"),
    CheckConstraint(one_of("sso_binding", BINDINGS), name="sso_binding"),
    CheckConstraint(one_of("slo_binding", BINDINGS), name="slo_binding"),
    CheckConstraint(one_of("signed", SIGNED), name="signed"),
    CheckConstraint(one_of("secret_method", SECRET_METHODS), name="secret_method"),
    CheckConstraint(_has_its_own("saml", _OF_SAML, _OF_OIDC), name="saml"),
    CheckConstraint(_has_its_own("oidc", _OF_OIDC, _OF_SAML), name="oidc"),
    CheckConstraint(
        "(protocol = 'oidc' AND deleted_at IS NULL) = (sealed_client_secret IS NOT NULL)",
        name="sealed_client_secret",
    ),
)
Index(
    "ix_connections_metadata_due",
    connections.c.org_id,
    connections.c.metadata_due_at,
    postgresql_where=text("metadata_due_at IS NOT NULL"),
    sqlite_where=text("metadata_due_at IS NOT NULL"),
)

domains = scoped_table(
    "domains",
    Column("id", Id, primary_key=True),
    # The ASCII form, of a wildcard with `*.` in front.
    Column("name", String(253), nullable=False),
    # SHA-256 of the name, as in `lookups`.
    Column("name_hash", String(64), nullable=False),
    Column("state", String(8), nullable=False),
    # Stands in public DNS, so it is kept as it is.
    Column("token", String(32), nullable=False),
    Column("proof", String(8)),
    # The connection that `/sso/login` takes for this domain; null: the oldest that is on.
    Column("connection_id", Id),
    Column("created_at", UtcDateTime, nullable=False),
    Column("verified_at", UtcDateTime),
    Column("checked_at", UtcDateTime),
    Column("look", String(16)),
    # When the worker looks next; null when it has given up or need not look.
    Column("due_at", UtcDateTime),
    # Since when, and in how many looks, the record of a verified domain has been absent.
    Column("absent_since", UtcDateTime),
    Column("absences", Integer, nullable=False),
    # When the grace or the dispute is over.
    Column("state_ends_at", UtcDateTime),
    # Before this, no new dispute after a lost one.
    Column("disputable_at", UtcDateTime),
    # How many sign-ins of other organizations with addresses of this domain were refused.
    Column("refused_elsewhere", Integer, nullable=False),
    ForeignKeyConstraint(["org_id", "connection_id"], ["connections.org_id", "connections.id"]),
    CheckConstraint(one_of("state", DOMAIN_STATES), name="state"),
    CheckConstraint(one_of("proof", PROOFS), name="proof"),
    CheckConstraint(one_of("look", LOOKS), name="look"),
)
Index("uq_domains_name", domains.c.org_id, domains.c.name, unique=True)
Index(
    "ix_domains_due",
    domains.c.org_id,
    domains.c.due_at,
    postgresql_where=text("due_at IS NOT NULL"),
    sqlite_where=text("due_at IS NOT NULL"),
)

# Certificates of IdPs, and our own key pairs. Of ours, `next` is published and not yet used, `current`
# signs, and `retired` is no longer published for signing but still decrypts what is under way.
certificates = scoped_table(
    "certificates",
    Column("id", Id, primary_key=True),
    Column("connection_id", Id, nullable=False),
    Column("side", String(4), nullable=False),
    Column("use", String(16), nullable=False),
    Column("state", String(8), nullable=False),
    Column("pem", Text, nullable=False),
    # SHA-256 of the DER form, in lower-case hexadecimal digits.
    Column("fingerprint", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("key_type", String(16), nullable=False),
    Column("key_bits", Integer, nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    # Ours only: the PKCS #8 form under AES-GCM, and which key it is under.
    Column("sealed_private_key", Text),
    Column("sealing_key_id", String(16)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),
    # How many days before the expiry the last notice of it was given; 0 once it has expired.
    Column("noticed_days", Integer),
    ForeignKeyConstraint(["org_id", "connection_id"], ["connections.org_id", "connections.id"]),
    CheckConstraint(one_of("side", SIDES), name="side"),
    CheckConstraint(one_of("use", USES), name="use"),
    CheckConstraint(one_of("state", KEY_STATES), name="state"),
    CheckConstraint("(side = 'sp') = (sealed_private_key IS NOT NULL)", name="sealed_private_key"),
)
Index(
    "uq_certificates_fingerprint",
    certificates.c.org_id,
    certificates.c.connection_id,
    certificates.c.side,
    certificates.c.fingerprint,
    unique=True,
)
Index("ix_certificates_expires_at", certificates.c.org_id, certificates.c.expires_at)

# The way in for an owner when the IdP is down: each code is good once, while sign-on is enforced.
break_glass_codes = scoped_table(
    "break_glass_codes",
    Column("id", Id, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("code_hash", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    ForeignKeyConstraint(["org_id", "user_id"], ["users.org_id", "users.id"]),
)
Index("ix_break_glass_codes_user", break_glass_codes.c.org_id, break_glass_codes.c.user_id)
