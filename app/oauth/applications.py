"""Applications: registered, changed, their secrets rotated, removed. `clients` recognizes them.

A secret is shown once and stored as its SHA-256; the one before stays good for an overlap, so that a rotation
fails no sign-in.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from app.core.connection import Row
from app.core.errors import ConflictError, NotFoundError, UnprocessableError
from app.core.ids import edge_id
from app.core.tenancy import ORG_ID, lookups
from app.core.tokens import Randomness, hash_token, new_token
from app.core.unit_of_work import UnitOfWork
from app.oauth.addresses import check_logout_uri, check_redirect_uri
from app.oauth.events import (
    ApplicationCreated,
    ApplicationDeleted,
    ApplicationSecretRotated,
    ApplicationUpdated,
)
from app.oauth.models import applications
from app.oauth.signing_keys import SigningKeys

PREFIX = "app"
LOOKUP = "application"
SECRET = "appsecret"  # noqa: S105 - the kind of a token, no secret
SCOPES = ("openid", "profile", "email")
ROTATION_OVERLAP = timedelta(days=7)
MAX_APPLICATIONS = 1_000
MAX_ADDRESSES = 20
# What may be changed later. Whether it keeps a secret is decided once.
CHANGEABLE = ("name", "redirect_uris", "post_logout_redirect_uris", "scopes", "backchannel_logout_uri")

_INSERT = insert(applications)
_INSERT_LOOKUP = insert(lookups)
_DROP_LOOKUP = delete(lookups).where(lookups.c.object_id == bindparam("id"), lookups.c.org_id == ORG_ID)
_living = (applications.c.org_id == ORG_ID, applications.c.deleted_at.is_(None))
_LIST = select(applications).where(*_living).order_by(applications.c.id)
_BY_ID = select(applications).where(*_living, applications.c.id == bindparam("id"))
_LOCK = _BY_ID.with_for_update()
_mine = (applications.c.org_id == ORG_ID, applications.c.id == bindparam("row_id"))
_UPDATE = (
    update(applications)
    .where(*_mine)
    .values({name: bindparam(f"new_{name}", type_=applications.c[name].type) for name in CHANGEABLE})
)
_ROTATE = (
    update(applications)
    .where(*_mine)
    .values(
        previous_secret_hash=applications.c.secret_hash,
        previous_secret_expires_at=bindparam("overlap_ends_at"),
        secret_hash=bindparam("new_hash"),
        secret_rotated_at=bindparam("moment"),
    )
)
_DELETE = update(applications).where(*_mine).values(deleted_at=bindparam("moment"))


def client_id_of(application_id: str) -> str:
    """What OAuth calls an application: its id as REST shows it."""
    return edge_id(PREFIX, application_id)


class ApplicationService:
    def __init__(self, uow: UnitOfWork, randomness: Randomness, keys: SigningKeys) -> None:
        self._uow = uow
        self._randomness = randomness
        self._keys = keys

    def create(self, fields: Mapping[str, Any], *, confidential: bool) -> tuple[Row, str | None]:
        """A new application and its secret, which only a confidential one has."""
        uow = self._uow
        _check_addresses(fields)
        if len(self.all()) >= MAX_APPLICATIONS:
            raise ConflictError(
                f"An organization has at most {MAX_APPLICATIONS} applications; delete one first.",
                code="too_many_applications",
            )
        self._keys.ensure()
        application_id = uow.ids.new()
        secret = new_token(SECRET, self._randomness) if confidential else None
        values = {
            **{name: fields[name] for name in CHANGEABLE},
            "id": application_id,
            "confidential": confidential,
            "secret_hash": None if secret is None else hash_token(secret),
            "created_at": uow.now,
        }
        uow.execute(_INSERT, values)
        uow.execute(
            _INSERT_LOOKUP,
            {
                "kind": LOOKUP,
                "key_hash": hash_token(client_id_of(application_id)),
                "object_id": application_id,
            },
        )
        data = {name: fields[name] for name in CHANGEABLE}
        uow.add(ApplicationCreated(application_id, {**data, "confidential": confidential}))
        return self.get(application_id), secret

    def update(self, application_id: str, changes: Mapping[str, Any]) -> Row:
        """Change some of `CHANGEABLE`; nothing happens when nothing differs."""
        before = self._locked(application_id)
        _check_addresses(changes)
        different = {name: value for name, value in changes.items() if getattr(before, name) != value}
        if not different:
            return before
        values = {f"new_{name}": different.get(name, getattr(before, name)) for name in CHANGEABLE}
        self._uow.execute(_UPDATE, {"row_id": application_id, **values})
        data = {name: {"before": getattr(before, name), "after": value} for name, value in different.items()}
        self._uow.add(ApplicationUpdated(application_id, data))
        return self.get(application_id)

    def rotate(self, application_id: str) -> tuple[Row, str]:
        """A second live secret; the one before holds for `ROTATION_OVERLAP`, an older one ends at once."""
        uow = self._uow
        application = self._locked(application_id)
        if not application.confidential:
            raise ConflictError(
                "A public application has no secret; it proves itself by PKCE.", code="public_application"
            )
        secret = new_token(SECRET, self._randomness)
        values = {
            "row_id": application_id,
            "new_hash": hash_token(secret),
            "overlap_ends_at": uow.now + ROTATION_OVERLAP,
            "moment": uow.now,
        }
        uow.execute(_ROTATE, values)
        uow.add(ApplicationSecretRotated(application_id, {"name": application.name}))
        return self.get(application_id), secret

    def delete(self, application_id: str) -> None:
        """From the next request on nobody signs in to it, and its tokens are worth nothing."""
        uow = self._uow
        application = self._locked(application_id)
        uow.execute(_DROP_LOOKUP, {"id": application_id})
        uow.execute(_DELETE, {"row_id": application_id, "moment": uow.now})
        uow.add(ApplicationDeleted(application_id, {"name": application.name}))

    def get(self, application_id: str) -> Row:
        """Raises `NotFoundError`."""
        return self._found(self._uow.execute(_BY_ID, {"id": application_id}).first())

    def all(self) -> Sequence[Row]:
        return self._uow.execute(_LIST).all()

    def _locked(self, application_id: str) -> Row:
        return self._found(self._uow.execute(_LOCK, {"id": application_id}).first())

    def _found(self, row: Row | None) -> Row:
        if row is None:
            raise NotFoundError("There is no such application.", code="application_not_found")
        return row


def _check_addresses(fields: Mapping[str, Any]) -> None:
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        for uri in fields.get(name, ()):
            check_redirect_uri(uri)
    if fields.get("backchannel_logout_uri") is not None:
        check_logout_uri(fields["backchannel_logout_uri"])
    if "scopes" in fields and "openid" not in fields["scopes"]:
        raise UnprocessableError("Every application needs the scope openid.", code="openid_missing")
