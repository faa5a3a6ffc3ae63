"""Which application asks: found by its `client_id`, proved by its secret, in one statement.

The statement enters the application's organization, as a credential's does. It must not know what the
application asks for.
"""

import hmac
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from sqlalchemy import BindParameter, ColumnElement, FromClause, Select, and_, bindparam, select, true

from app.core.connection import Row
from app.core.tenancy import enter_organization, lookups
from app.core.tokens import hash_token
from app.core.unit_of_work import UnitOfWork
from app.oauth.applications import LOOKUP
from app.oauth.models import applications
from app.oauth.refusals import InvalidClientError, OAuthError

DIALECTS = ("postgresql", "sqlite")
_COLUMNS = ("id", "confidential", "redirect_uris", "post_logout_redirect_uris", "scopes", "secret_hash")
_PREVIOUS = ("previous_secret_hash", "previous_secret_expires_at")
_SHOWN = tuple(applications.c[name].label(f"client_{name}") for name in _COLUMNS + _PREVIOUS)


def find(
    dialect: str,
    kind: str,
    table_key: tuple[ColumnElement[Any], ColumnElement[Any]],
    joined: FromClause,
    shown: Sequence[ColumnElement[Any]],
) -> Select[Any]:
    """Look up by `key_hash`, enter the organization and read, all at once.

    As a credential is recognized: on PostgreSQL the rows are read by a lateral subquery that can run only
    after the CTE has entered the organization; were that ever otherwise, nobody would be let in.
    """
    key_hash: BindParameter[str] = bindparam("key_hash")
    found = (
        select(lookups.c.org_id, lookups.c.object_id, enter_organization(lookups.c.org_id).label("entered"))
        .where(lookups.c.kind == kind, lookups.c.key_hash == key_hash)
        .cte("found")
    )
    matches = and_(table_key[0] == found.c.org_id, table_key[1] == found.c.object_id)
    if dialect == "postgresql":
        row = select(*shown).select_from(joined).where(matches).offset(0).lateral("row")
        return select(found.c.entered, row).select_from(found.join(row, true()))
    return select(found.c.entered, *shown).select_from(found.join(joined, matches))


def find_client(dialect: str, joined: FromClause, shown: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """The living application of a `client_id`, with what is joined to it."""
    key = (applications.c.org_id, applications.c.id)
    return find(dialect, LOOKUP, key, joined, (*_SHOWN, *shown))


_FIND = {dialect: find_client(dialect, applications, ()) for dialect in DIALECTS}


@dataclass(frozen=True, slots=True)
class Claimed:
    """Who a request says it is: `secret` is null where it showed none."""

    client_id: str
    secret: str | None


def read_claim(authorization: str | None, parameters: Mapping[str, str]) -> Claimed:
    """Who asks, by the one way in which it says so (RFC 6749 section 2.3); nothing is checked yet."""
    posted = parameters.get("client_secret")
    if authorization is None:
        if "client_id" not in parameters:
            raise InvalidClientError("Say who you are: by Basic authentication, or by client_id.")
        return Claimed(parameters["client_id"], posted)
    if posted is not None or parameters.keys() & {"client_assertion", "client_assertion_type"}:
        raise OAuthError("The application authenticates in two places at once; use one.")
    claimed = _read_basic(authorization)
    if parameters.get("client_id", claimed.client_id) != claimed.client_id:
        raise OAuthError("The header and the parameter client_id name different applications.")
    return claimed


def _read_basic(header: str) -> Claimed:
    scheme, _, text = header.partition(" ")
    try:
        decoded = b64decode(text.strip(), validate=True).decode() if scheme.lower() == "basic" else ""
    except (Base64Error, ValueError):
        decoded = ""
    client_id, separator, secret = decoded.partition(":")
    if not separator or not secret:
        raise InvalidClientError("The Authorization header must read Basic and an encoded id and secret.")
    return Claimed(unquote_plus(client_id), unquote_plus(secret))


@dataclass(frozen=True, slots=True)
class Client:
    """A living application of the entered organization, which has not necessarily proved itself."""

    id: str
    org_id: str
    confidential: bool
    redirect_uris: Sequence[str]
    post_logout_redirect_uris: Sequence[str]
    scopes: frozenset[str]

    @staticmethod
    def of(row: Row) -> "Client":
        return Client(
            row.client_id,
            row.entered,
            row.client_confidential,
            row.client_redirect_uris,
            row.client_post_logout_redirect_uris,
            frozenset(row.client_scopes),
        )


class Clients:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def enter(self, client_id: str) -> Client | None:
        """The application that a browser was sent by; nobody has proved anything."""
        row = self._find(_FIND, client_id, {})
        return None if row is None else Client.of(row)

    def authenticate(self, claimed: Claimed) -> Client:
        """The application that asks; raises `InvalidClientError`, the same for each reason."""
        return Client.of(self.authenticate_with(_FIND, claimed, {}))

    def authenticate_with(
        self, statements: Mapping[str, Select[Any]], claimed: Claimed, values: Mapping[str, Any]
    ) -> Row:
        """The same by a statement of `find_client` that reads more in the same go; answers its row."""
        row = self._find(statements, claimed.client_id, values)
        if row is None or not self._is_proved(row, claimed.secret):
            raise InvalidClientError("The application is unknown, or its secret is wrong or missing.")
        return row

    def _find(
        self, statements: Mapping[str, Select[Any]], client_id: str, values: Mapping[str, Any]
    ) -> Row | None:
        uow = self._uow
        statement = statements[uow.dialect]
        row = uow.execute_unscoped(statement, {**values, "key_hash": hash_token(client_id)}).first()
        if row is not None:
            uow.entered(row.entered)
        return row

    def _is_proved(self, row: Row, secret: str | None) -> bool:
        if not row.client_confidential:
            return secret is None
        if secret is None:
            return False
        shown = hash_token(secret)
        ends_at = row.client_previous_secret_expires_at
        # Both are compared, however the first comparison ends.
        is_present = hmac.compare_digest(shown, row.client_secret_hash)
        is_previous = hmac.compare_digest(shown, row.client_previous_secret_hash or "")
        return is_present or (is_previous and ends_at is not None and ends_at > self._uow.now)
