"""A code becomes tokens, once: the one door through which an application gets any.

The code is consumed by one conditional UPDATE that names everything it is bound to. A code that comes a
second time has leaked, so what the first gave ends.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core.util import create_half_hash
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.core.connection import Row
from app.core.database import UtcDateTime
from app.core.tenancy import ORG_ID, lookups
from app.core.tokens import Randomness, hash_token, is_well_formed, new_token
from app.core.unit_of_work import UnitOfWork
from app.oauth.applications import client_id_of
from app.oauth.authorization import CODE
from app.oauth.clients import Client
from app.oauth.events import ApplicationAuthorized
from app.oauth.models import access_tokens, application_sessions, authorization_codes
from app.oauth.parameters import required
from app.oauth.people import SHOWN, claims_of, is_entitled, with_people
from app.oauth.refusals import InvalidGrantError, OAuthError
from app.oauth.signing_keys import ALGORITHM, SigningKeys
from app.oauth.visits import Visits

TOKEN_KIND = "access"  # noqa: S105 - the kind of a token, no secret
TOKEN_LOOKUP = "access_token"  # noqa: S105 - a kind of look-up, no secret
LIFETIME = timedelta(minutes=10)
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")

_codes = authorization_codes.c
_of_code = (_codes.org_id == ORG_ID, _codes.code_hash == bindparam("hash"))
_CONSUME = (
    update(authorization_codes)
    .where(
        *_of_code,
        _codes.application_id == bindparam("of_application_id"),
        _codes.redirect_uri == bindparam("sent_redirect_uri"),
        _codes.code_challenge == bindparam("sent_challenge"),
        _codes.consumed_at.is_(None),
        _codes.expires_at > bindparam("moment", type_=UtcDateTime()),
    )
    .values(consumed_at=bindparam("moment", type_=UtcDateTime()))
    .returning(authorization_codes)
)
_SPENT = select(_codes.id, _codes.application_id).where(*_of_code, _codes.consumed_at.is_not(None))
_PERSON = (
    select(_codes.org_id, _codes.user_id, *SHOWN)
    .select_from(with_people(authorization_codes, authorization_codes))
    .where(_codes.org_id == ORG_ID, _codes.id == bindparam("code_id"))
)
_INSERT = insert(access_tokens)
_INSERT_LOOKUP = insert(lookups)
_NOTE_SESSION = upsert(application_sessions).on_conflict_do_nothing()


@dataclass(frozen=True, slots=True)
class Replay:
    """A code that had been used before, and whose it was."""

    code_id: str
    application_id: str


class CodeReplayedError(InvalidGrantError):
    """Says no more than that the code is no good; what follows from it is the caller's."""

    def __init__(self, detail: str, replay: Replay) -> None:
        super().__init__(detail)
        self.replay = replay


class Redemption:
    def __init__(
        self,
        uow: UnitOfWork,
        *,
        keys: SigningKeys,
        visits: Visits,
        randomness: Randomness,
        issuer: str,
    ) -> None:
        self._uow = uow
        self._keys = keys
        self._visits = visits
        self._randomness = randomness
        self._issuer = issuer

    def redeem(self, client: Client, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The answer of the token endpoint; raises `InvalidGrantError` for a code that is no good here."""
        code = self._consume(client, parameters)
        person = self._uow.execute(_PERSON, {"code_id": code.id}).first()
        # Whoever ends the session later waits for the code, which is ours now, and then finds the token.
        if not self._visits.is_live(code.session_id):
            raise InvalidGrantError("The session in which the code was given has ended.")
        if person is None or not is_entitled(person, self._uow.now):
            raise InvalidGrantError("The person may not use applications any more.")
        return self._issue(client, code, person)

    def _consume(self, client: Client, parameters: Mapping[str, str]) -> Row:
        code, verifier = required(parameters, "code"), required(parameters, "code_verifier")
        redirect_uri = required(parameters, "redirect_uri")
        if not _VERIFIER.fullmatch(verifier):
            raise OAuthError("A code_verifier has 43 to 128 letters, digits, hyphens, dots, and so on.")
        if not is_well_formed(CODE, code):
            raise InvalidGrantError("The code is not one of ours; check that it was copied whole.")
        values = {
            "hash": hash_token(code),
            "of_application_id": client.id,
            "sent_redirect_uri": redirect_uri,
            "sent_challenge": create_s256_code_challenge(verifier),
            "moment": self._uow.now,
        }
        row = self._uow.execute(_CONSUME, values).first()
        if row is not None:
            return row
        detail = "The code is unknown, over, used, or was given for another application, address or verifier."
        spent = self._uow.execute(_SPENT, {"hash": values["hash"]}).first()
        if spent is not None:
            raise CodeReplayedError(detail, Replay(spent.id, spent.application_id))
        raise InvalidGrantError(detail)

    def _issue(self, client: Client, code: Row, person: Row) -> dict[str, Any]:
        uow = self._uow
        token, token_id = new_token(TOKEN_KIND, self._randomness), uow.ids.new()
        expires_at = min(uow.now + LIFETIME, code.session_ends_at)
        common = {"application_id": client.id, "session_id": code.session_id, "user_id": code.user_id}
        values = {
            **common,
            "id": token_id,
            "code_id": code.id,
            "token_hash": hash_token(token),
            "epoch": person.epoch,
            "scopes": code.scopes,
            "authenticated_at": code.authenticated_at,
            "created_at": uow.now,
            "expires_at": expires_at,
        }
        uow.write(_INSERT, values)
        uow.write(
            _INSERT_LOOKUP, {"kind": TOKEN_LOOKUP, "key_hash": hash_token(token), "object_id": token_id}
        )
        uow.write(_NOTE_SESSION, {**common, "created_at": uow.now})
        data = {"application_id": client.id, "session_id": code.session_id, "scopes": code.scopes}
        uow.add(ApplicationAuthorized(code.user_id, data))
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int((expires_at - uow.now).total_seconds()),
            "scope": " ".join(code.scopes),
            "id_token": self._id_token(client, code, person, token),
        }

    def _id_token(self, client: Client, code: Row, person: Row, token: str) -> str:
        now = int(self._uow.now.timestamp())
        claims = {
            **claims_of(person, code.scopes),
            "iss": self._issuer,
            "aud": client_id_of(client.id),
            "iat": now,
            "exp": now + int(LIFETIME.total_seconds()),
            "auth_time": int(code.authenticated_at.timestamp()),
            "sid": code.session_id,
            "at_hash": create_half_hash(token, ALGORITHM).decode(),
        }
        if code.nonce is not None:
            claims["nonce"] = code.nonce
        return self._keys.sign(claims)
