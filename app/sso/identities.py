"""Who the subject of an assertion is: the key is connection and stable id, an address is data.

A subject that is known is that person; one that is not is linked to the person whom the IdP provisions
under its name, or makes a new one where the connection may. A sign-in reactivates nobody and brings
nobody back. It must not know the protocol.
"""

from dataclasses import dataclass

from sqlalchemy import and_, bindparam, insert, select, union_all, update

from app.core.connection import Row
from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.directory.models import users
from app.sso.addresses import EmailAddress
from app.sso.events import IdentityLinked
from app.sso.models_sign_in import identities
from app.sso.refusals import Reason, SignInRefusedError, Step

_KNOWN = (
    select(identities.c.id, identities.c.user_id)
    .select_from(
        identities.join(
            users, and_(users.c.org_id == identities.c.org_id, users.c.id == identities.c.user_id)
        )
    )
    .where(
        identities.c.org_id == ORG_ID,
        identities.c.connection_id == bindparam("connection_id"),
        identities.c.subject == bindparam("subject"),
        users.c.deleted_at.is_(None),
    )
)
_OTHER_SUBJECT = select(identities.c.id, identities.c.subject, identities.c.subject_source).where(
    identities.c.org_id == ORG_ID,
    identities.c.connection_id == bindparam("connection_id"),
    identities.c.user_id == bindparam("user_id"),
)
_people = select(users.c.id, users.c.user_name, users.c.external_id, users.c.deleted_at)
_is_name = users.c.user_name_key.in_([bindparam("name_key"), bindparam("email_key")])
# Each part by its own index; the living and the deleted have one each for their names.
_NAMED = union_all(
    _people.where(users.c.org_id == ORG_ID, _is_name, users.c.deleted_at.is_(None)),
    _people.where(users.c.org_id == ORG_ID, _is_name, users.c.deleted_at.is_not(None)),
    _people.where(users.c.org_id == ORG_ID, users.c.external_id == bindparam("external_id")),
)
_ADDRESSED = select(users.c.id, users.c.email).where(
    users.c.org_id == ORG_ID, users.c.email_key == bindparam("email_key"), users.c.deleted_at.is_(None)
)
_INSERT = insert(identities)
# A subject whose person was deleted is free for who came after them.
_RELINK = (
    update(identities)
    .where(
        identities.c.org_id == ORG_ID,
        identities.c.connection_id == bindparam("of_connection_id"),
        identities.c.subject == bindparam("of_subject"),
    )
    .values(user_id=bindparam("new_user_id"), jit=bindparam("new_jit"), created_at=bindparam("moment"))
    .returning(identities.c.id)
)
_SEEN = (
    update(identities)
    .where(identities.c.org_id == ORG_ID, identities.c.id == bindparam("row_id"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                *("subject", "name_id", "name_id_format"),
                *("email", "email_key", "last_signed_in_at"),
            )
        }
    )
)


@dataclass(frozen=True, slots=True)
class Claim:
    """Whom an assertion of this connection is about, as far as an identity goes.

    `name` and `external_id` are what provisioning may call them.
    """

    connection_id: str
    subject: str
    subject_source: str
    external_id: str
    name: str
    name_id: str
    name_id_format: str
    email: EmailAddress


@dataclass(frozen=True, slots=True)
class Found:
    """A person for the claim; `identity_id` is null when the subject is new here."""

    user_id: str
    identity_id: str | None


class IdentityService:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def find(self, claim: Claim) -> Found | None:
        """Who this is, or null when it is nobody yet; raises `SignInRefusedError`.

        Nobody is found by a name or address that is only folded alike: beyond the case of ASCII letters
        both must be the same text.
        """
        values = {"connection_id": claim.connection_id, "subject": claim.subject}
        known = self._uow.execute(_KNOWN, values).first()
        if known is not None:
            return Found(known.user_id, known.id)
        user_id, is_named = self._match(claim)
        if user_id is None:
            return None
        values = {"connection_id": claim.connection_id, "user_id": user_id}
        other = self._uow.execute(_OTHER_SUBJECT, values).first()
        if other is None:
            return Found(user_id, None)
        # Without a stable id the name is the subject, and the IdP has given the person a new one.
        is_renamed = claim.subject_source == other.subject_source == "name_id"
        if is_renamed and is_named:
            return Found(user_id, other.id)
        raise SignInRefusedError(
            Reason.IDENTITY_CONFLICT, Step.IDENTITY, expected=other.subject, received=claim.subject
        )

    def _match(self, claim: Claim) -> tuple[str | None, bool]:
        """Who is provisioned under the claim's name, else has its address; and whether it was the name."""
        uow = self._uow
        keys = {
            "name_key": fold(claim.name),
            "email_key": fold(claim.email.raw),
            "external_id": claim.external_id,
        }
        rows = uow.execute(_NAMED, keys).all()
        named = [row for row in rows if _is_really_named(row, claim)]
        living = {row.id for row in named if row.deleted_at is None}
        is_named = bool(living)
        if not living:
            rows = uow.execute(_ADDRESSED, {"email_key": keys["email_key"]}).all()
            living = {row.id for row in rows if _is_same(row.email, claim.email.raw)}
        if not living and named:
            raise SignInRefusedError(Reason.USER_DELETED, Step.IDENTITY, received=claim.name)
        if len(living) > 1:
            raise SignInRefusedError(
                Reason.IDENTITY_AMBIGUOUS,
                Step.IDENTITY,
                expected="one person",
                received=f"{claim.name}, {claim.email.raw}",
            )
        return next(iter(living), None), is_named

    def keep(self, claim: Claim, found: Found, *, jit: bool) -> str:
        """Note that this person signed in under the claim; answers the identity's id."""
        uow = self._uow
        seen = {
            "subject": claim.subject,
            "name_id": claim.name_id,
            "name_id_format": claim.name_id_format or None,
            "email": claim.email.raw,
            "email_key": claim.email.key,
            "last_signed_in_at": uow.now,
        }
        identity_id = found.identity_id or self._relink(claim, found.user_id, jit=jit)
        if identity_id is not None:
            uow.write(_SEEN, {"row_id": identity_id, **{f"new_{name}": seen[name] for name in seen}})
        else:
            identity_id = uow.ids.new()
            own = {
                "id": identity_id,
                "connection_id": claim.connection_id,
                "subject_source": claim.subject_source,
                "user_id": found.user_id,
                "jit": jit,
                "created_at": uow.now,
            }
            uow.write(_INSERT, {**own, **seen})
        if found.identity_id is None:
            data = {"connection_id": claim.connection_id, "subject": claim.subject, "jit": jit}
            uow.add(IdentityLinked(found.user_id, data))
        return identity_id

    def _relink(self, claim: Claim, user_id: str, *, jit: bool) -> str | None:
        values = {
            "of_connection_id": claim.connection_id,
            "of_subject": claim.subject,
            "new_user_id": user_id,
            "new_jit": jit,
            "moment": self._uow.now,
        }
        identity_id: str | None = self._uow.execute(_RELINK, values).scalar_one_or_none()
        return identity_id


def _is_really_named(row: Row, claim: Claim) -> bool:
    names = (claim.name, claim.email.raw)
    return row.external_id == claim.external_id or any(_is_same(row.user_name, name) for name in names)


def _is_same(one: str | None, other: str) -> bool:
    return one is not None and _ascii_folded(one) == _ascii_folded(other)


def _ascii_folded(text: str) -> str:
    return "".join(character.lower() if character.isascii() else character for character in text)
