"""The rows of connections: which columns each protocol decides by, and the statements over them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from app.core.tenancy import ORG_ID, lookups
from app.sso.models import connections, domains

CONNECTION = "connection"
MAX_CONNECTIONS = 50
# What decides whether a sign-in works, beside the certificates.
_DECISIVE = {
    "saml": (
        *("protocol", "idp_entity_id", "sso_url", "sso_binding", "signed", "attributes"),
        *("wants_signed_requests", "refuse_expired_certificates"),
    ),
    # The keys move by themselves; where they are read is what is trusted.
    "oidc": (
        *("protocol", "idp_entity_id", "sso_url", "attributes", "client_id", "sealed_client_secret"),
        *("token_endpoint", "secret_method", "userinfo_endpoint", "jwks_uri", "scopes", "names_itself"),
    ),
}
CHANGEABLE = (
    *("name", "idp_entity_id", "sso_url", "sso_binding", "slo_url", "slo_binding", "slo_response_url"),
    *("wants_signed_requests", "signed", "idp_initiated", "jit", "attributes", "testers"),
    *("refuse_expired_certificates", "metadata_url", "metadata_read_at", "metadata_due_at"),
    *("metadata_error", "client_id", "sealed_client_secret", "sealing_key_id", "token_endpoint"),
    *("secret_method", "userinfo_endpoint", "jwks_uri", "jwks", "scopes", "names_itself", "tells_logouts"),
)
# What changes by itself and is nobody's decision.
SILENT = ("metadata_read_at", "metadata_due_at", "metadata_error", "sealing_key_id")

_living = (connections.c.org_id == ORG_ID, connections.c.deleted_at.is_(None))
LIST = select(connections).where(*_living, connections.c.id > bindparam("after")).order_by(connections.c.id)
BY_ID = select(connections).where(*_living, connections.c.id == bindparam("id"))
LOCK = BY_ID.with_for_update()
COUNT = select(connections.c.id).where(*_living).limit(MAX_CONNECTIONS)
INSERT = insert(connections)
UPDATE = (
    update(connections)
    .where(connections.c.org_id == ORG_ID, connections.c.id == bindparam("row_id"))
    .values(
        {
            name: bindparam(f"new_{name}", type_=connections.c[name].type)
            for name in (*CHANGEABLE, "configuration_hash", "changed_at")
        }
    )
)
DELETE = (
    update(connections)
    .where(connections.c.org_id == ORG_ID, connections.c.id == bindparam("row_id"))
    .values(deleted_at=bindparam("moment"), mode="off", metadata_due_at=None, sealed_client_secret=None)
)
FORGET_CHOICE = (
    update(domains)
    .where(domains.c.org_id == ORG_ID, domains.c.connection_id == bindparam("row_id"))
    .values(connection_id=None)
)
INSERT_LOOKUP = insert(lookups)
DROP_LOOKUP = delete(lookups).where(
    lookups.c.kind == CONNECTION, lookups.c.key_hash == bindparam("hash_"), lookups.c.org_id == ORG_ID
)
FIND = select(lookups.c.org_id).where(
    lookups.c.kind == CONNECTION, lookups.c.key_hash == bindparam("key_hash")
)


def configuration_hash(connection: Mapping[str, Any], fingerprints: Sequence[str]) -> str:
    """SHA-256 over all that decides whether a sign-in works: equal for equal configurations."""
    decisive = {name: connection[name] for name in _DECISIVE[connection["protocol"]]}
    text = json.dumps({**decisive, "certificates": sorted(fingerprints)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
