"""Okta's Universal Logout: one signed call ends every session of a person.

The bearer is a JWT (Global Token Revocation) under the key that signs the connection's assertions. Only
RS256 is taken, and only keys that the connection trusts already.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import and_, bindparam, or_, select

from app.core import strict_json
from app.core.clock import CLOCK_SKEW
from app.core.errors import (
    BadRequestError,
    ForbiddenError,
    NotFoundError,
    UnauthenticatedError,
    UnprocessableError,
    UsherError,
)
from app.core.ids import is_uuid
from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.directory.models import users
from app.sso.models_sign_in import identities
from app.sso.replays import spend
from app.sso.sessions import SessionService
from app.sso.trusted_connections import SamlConnection

TYPE = "global-token-revocation+jwt"
MAX_TOKEN_LENGTH = 8_192
# Okta's tokens last five minutes; a longer one could be kept and used later.
MAX_LIFETIME = timedelta(minutes=15)

# People here and subjects of this connection; more than one person under an address is nobody.
_identity = identities.join(
    users, and_(users.c.org_id == identities.c.org_id, users.c.id == identities.c.user_id)
)
_OF_CONNECTION = (
    select(users.c.id)
    .select_from(_identity)
    .where(
        identities.c.org_id == ORG_ID,
        identities.c.connection_id == bindparam("connection_id"),
        or_(
            identities.c.email_key == bindparam("key"),
            identities.c.subject == bindparam("subject"),
            identities.c.name_id == bindparam("subject"),
        ),
        users.c.deleted_at.is_(None),
    )
    .distinct()
)
_BY_ID = select(users.c.id).where(
    users.c.org_id == ORG_ID, users.c.id == bindparam("id"), users.c.deleted_at.is_(None)
)


class UniversalLogout:
    def __init__(self, uow: UnitOfWork, sessions: SessionService) -> None:
        self._uow = uow
        self._sessions = sessions

    def revoke(self, connection: SamlConnection, audience: str, token: str, body: bytes) -> None:
        """End the sessions of whom the body names; raises what the caller answers: 400 to 422."""
        claims = self._claims(connection, audience, token)
        user_id = self._user(connection, _subject(body))
        self._spend(connection, claims)
        self._sessions.revoke_users([user_id], "universal_logout")

    def _claims(self, connection: SamlConnection, audience: str, token: str) -> Mapping[str, Any]:
        header, claims = _verified(token, [found.pem for found in connection.expectation.certificates])
        now = self._uow.now
        if header.get("typ") != TYPE:
            raise UnauthenticatedError(f"The token's typ must be {TYPE}.")
        if claims.get("aud") != audience:
            raise UnauthenticatedError(f"The token's aud must be {audience}.")
        issuer = urlsplit(connection.sso_url)
        if claims.get("iss") != f"{issuer.scheme}://{issuer.netloc}":
            raise ForbiddenError("The token's iss is not the identity provider of this connection.")
        begins, ends = _moment(claims.get("nbf", claims.get("iat"))), _moment(claims.get("exp"))
        if begins > now + CLOCK_SKEW or ends <= now - CLOCK_SKEW or ends - begins > MAX_LIFETIME:
            raise UnauthenticatedError("The token is not valid now; check the clocks.")
        return claims

    def _spend(self, connection: SamlConnection, claims: Mapping[str, Any]) -> None:
        token_id = claims.get("jti")
        if not isinstance(token_id, str) or not token_id:
            raise UnauthenticatedError("The token has no jti.")
        if not spend(self._uow, connection.id, token_id, _moment(claims.get("exp")) + CLOCK_SKEW):
            raise UnauthenticatedError("The token was used before.")

    def _user(self, connection: SamlConnection, subject: str) -> str:
        bare = subject.removeprefix("user_")
        found = self._uow.execute(_BY_ID, {"id": bare}).scalars() if is_uuid(bare) else []
        if not found:
            values = {"connection_id": connection.id, "key": fold(subject), "subject": subject}
            found = self._uow.execute(_OF_CONNECTION, values).scalars()
        if len(found) != 1:
            raise NotFoundError("There is no such person at this connection.", code="user_not_found")
        return str(found[0])


def _subject(body: bytes) -> str:
    value = strict_json.loads(body)
    subject = value.get("sub_id") if isinstance(value, dict) else None
    if not isinstance(subject, dict):
        raise BadRequestError("Send a JSON object with sub_id.")
    names = {"email": "email", "iss_sub": "sub"}
    form = subject.get("format")
    if not isinstance(form, str) or form not in names:
        raise UnprocessableError("The format of sub_id must be email or iss_sub.")
    text = subject.get(names[form])
    if not isinstance(text, str) or not text:
        raise BadRequestError(f"sub_id lacks {names[form]}.")
    if "\x00" in text:
        raise BadRequestError("sub_id has a character that no name has.")
    return text


def _verified(token: str, trusted: list[str]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    parts = token.split(".")
    if len(token) > MAX_TOKEN_LENGTH or len(parts) != 3:  # noqa: PLR2004 - RFC 7515 section 7.1
        raise UnauthenticatedError("Send a JWT as bearer token.")
    header, claims, signature = _object(parts[0]), _object(parts[1]), _decoded(parts[2])
    # Whatever else the header says (a key, a URL, critical extensions) is not followed.
    if header.get("alg") != "RS256" or "crit" in header:
        raise UnauthenticatedError("The token must be signed with RS256.")
    signed = f"{parts[0]}.{parts[1]}".encode()
    if not any(_is_signed_by(pem, signature, signed) for pem in trusted):
        raise UnauthenticatedError("The token is not signed by a certificate of this connection.")
    return header, claims


def _is_signed_by(pem: str, signature: bytes, signed: bytes) -> bool:
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    if not isinstance(key, RSAPublicKey):
        return False
    try:
        key.verify(signature, signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _object(part: str) -> dict[str, Any]:
    try:
        value = strict_json.loads(_decoded(part))
    except UsherError:
        value = None
    if not isinstance(value, dict):
        raise UnauthenticatedError("The token is not a JWT.")
    return value


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise UnauthenticatedError("The token is not a JWT.") from None


def _moment(value: object) -> datetime:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**33:
        return datetime.fromtimestamp(value, UTC)
    raise UnauthenticatedError("The token's times must be whole seconds.")
