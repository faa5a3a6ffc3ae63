"""Access tokens after they were given: asked about, shown, revoked, ended with their session.

A token is good while its time runs, nobody has revoked it, and its person is just as entitled as when it was
given: any change of the person's rights raises the epoch and so ends it. Each question is one statement, by
unique indexes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, select, update

from app.core.connection import Row
from app.core.database import UtcDateTime
from app.core.sql import is_one_of
from app.core.tenancy import ORG_ID
from app.core.tokens import hash_token, is_well_formed
from app.core.unit_of_work import UnitOfWork
from app.oauth.applications import client_id_of
from app.oauth.clients import DIALECTS, Claimed, Client, Clients, find, find_client
from app.oauth.events import CodeReplayed
from app.oauth.models import access_tokens, applications, authorization_codes
from app.oauth.people import SHOWN, claims_of, is_entitled, with_people
from app.oauth.redemption import TOKEN_KIND, TOKEN_LOOKUP, Replay
from app.oauth.refusals import InvalidClientError, InvalidGrantError, InvalidTokenError

_tokens = access_tokens.c
_TOKEN = (
    _tokens.org_id,
    _tokens.id.label("token_id"),
    *(_tokens[name] for name in ("application_id", "session_id", "user_id", "scopes", "authenticated_at")),
    _tokens.epoch.label("token_epoch"),
    _tokens.created_at.label("token_created_at"),
    _tokens.expires_at.label("token_expires_at"),
    _tokens.revoked_at.label("token_revoked_at"),
)
# Of another application's token nothing is read.
_own = and_(
    _tokens.org_id == applications.c.org_id,
    _tokens.token_hash == bindparam("token_hash"),
    _tokens.application_id == applications.c.id,
)
_ASKED = {
    dialect: find_client(
        dialect,
        with_people(applications.outerjoin(access_tokens, _own), access_tokens, maybe=True),
        (*_TOKEN, *SHOWN),
    )
    for dialect in DIALECTS
}
_SHOWN = {
    dialect: find(
        dialect,
        TOKEN_LOOKUP,
        (_tokens.org_id, _tokens.id),
        with_people(
            access_tokens.join(
                applications,
                and_(applications.c.org_id == _tokens.org_id, applications.c.id == _tokens.application_id),
            ),
            access_tokens,
        ),
        (*_TOKEN, *SHOWN, applications.c.deleted_at.label("application_deleted_at")),
    )
    for dialect in DIALECTS
}
_OF_HASH = select(_tokens.id, _tokens.application_id).where(
    _tokens.org_id == ORG_ID, _tokens.token_hash == bindparam("hash")
)
_revoking = (
    update(access_tokens)
    .where(_tokens.org_id == ORG_ID, _tokens.revoked_at.is_(None))
    .values(revoked_at=bindparam("moment", type_=UtcDateTime()))
)
_REVOKE = {
    "token": _revoking.where(_tokens.id == bindparam("row_id")),
    "code": _revoking.where(_tokens.code_id == bindparam("of_code_id")),
    "sessions": _revoking.where(is_one_of(_tokens.session_id, "session_ids")),
}
_codes = authorization_codes.c
_END_CODES = (
    update(authorization_codes)
    .where(_codes.org_id == ORG_ID, is_one_of(_codes.session_id, "session_ids"))
    .values(expires_at=bindparam("moment", type_=UtcDateTime()))
)


class AccessTokens:
    def __init__(self, uow: UnitOfWork, clients: Clients, issuer: str) -> None:
        self._uow = uow
        self._clients = clients
        self._issuer = issuer

    def introspect(self, claimed: Claimed, token: str) -> dict[str, Any]:
        """RFC 7662: what an application's own token is worth; of any other it learns nothing."""
        row = self._clients.authenticate_with(_ASKED, claimed, {"token_hash": hash_token(token)})
        if not row.client_confidential:
            raise InvalidClientError("A public application cannot prove who it is, so it may not ask.")
        if row.token_id is None or not self._is_good(row):
            return {"active": False}
        return {
            **claims_of(row, row.scopes),
            "active": True,
            "iss": self._issuer,
            "aud": client_id_of(row.application_id),
            "client_id": client_id_of(row.application_id),
            "username": row.user_name,
            "scope": " ".join(row.scopes),
            "token_type": "Bearer",
            "iat": int(row.token_created_at.timestamp()),
            "exp": int(row.token_expires_at.timestamp()),
            "auth_time": int(row.authenticated_at.timestamp()),
            "sid": row.session_id,
        }

    def user_info(self, token: str) -> Mapping[str, Any]:
        """Whom a token is about, as they are now; raises `InvalidTokenError`."""
        uow = self._uow
        row = None
        if is_well_formed(TOKEN_KIND, token):
            row = uow.execute_unscoped(_SHOWN[uow.dialect], {"key_hash": hash_token(token)}).first()
        if row is None or row.application_deleted_at is not None or not self._is_good(row):
            raise InvalidTokenError(
                "The token is unknown, over or revoked, or the rights have changed since."
            )
        uow.entered(row.entered)
        return claims_of(row, row.scopes)

    def _is_good(self, row: Row) -> bool:
        now = self._uow.now
        is_live = row.token_revoked_at is None and row.token_expires_at > now
        return is_live and row.token_epoch == row.epoch and is_entitled(row, now)

    def revoke(self, client: Client, token: str) -> None:
        """RFC 7009: the application is done with its token; raises `InvalidGrantError` for another's."""
        row = self._uow.execute(_OF_HASH, {"hash": hash_token(token)}).first()
        if row is None:
            return
        if row.application_id != client.id:
            raise InvalidGrantError("The token was given to another application.")
        self._revoke("token", {"row_id": row.id})

    def end_replayed(self, replay: Replay) -> None:
        """What a code gave that came a second time is worth nothing from now on."""
        if self._revoke("code", {"of_code_id": replay.code_id}):
            self._uow.add(CodeReplayed(replay.application_id, {"code_id": replay.code_id}))

    def end_sessions(self, session_ids: Sequence[str]) -> None:
        """Codes first: a redemption that is under way has locked its own, and its token is there after."""
        values = {"session_ids": list(session_ids)}
        self._uow.execute(_END_CODES, {**values, "moment": self._uow.now})
        self._revoke("sessions", values)

    def _revoke(self, which: str, values: Mapping[str, Any]) -> int:
        return self._uow.execute(_REVOKE[which], {**values, "moment": self._uow.now}).rowcount
