"""Whose a domain is: the one look-up that claims, sign-ins and discovery ask.

A name is held by one organization of all; `lookups` can hold it once. Neither side may see the other's
rows, so a dispute is put down in `lookups` as well.
"""

from dataclasses import dataclass
from enum import Enum

from sqlalchemy import bindparam, delete, insert, or_, select, update

from app.core.tenancy import ORG_ID, lookups
from app.core.tokens import hash_token
from app.core.unit_of_work import UnitOfWork
from app.sso.addresses import EmailAddress
from app.sso.domain_states import Owner
from app.sso.models import domains

CAPTURED, DISPUTED = "captured_domain", "disputed_domain"

_HOLDERS = select(lookups.c.kind, lookups.c.org_id, lookups.c.object_id).where(
    lookups.c.key_hash == bindparam("key_hash"), or_(lookups.c.kind == CAPTURED, lookups.c.kind == DISPUTED)
)
_INSERT = insert(lookups)
_DROP = delete(lookups).where(
    lookups.c.kind == bindparam("kind_"),
    lookups.c.key_hash == bindparam("hash_"),
    lookups.c.object_id == bindparam("domain_id"),
)
_MOVE = (
    update(lookups)
    .where(lookups.c.kind == CAPTURED, lookups.c.key_hash == bindparam("hash_"))
    .values(org_id=bindparam("new_org_id"), object_id=bindparam("new_domain_id"))
)
_STATE = select(domains.c.state).where(domains.c.org_id == ORG_ID, domains.c.id == bindparam("id"))
_COUNT = (
    update(domains)
    .where(domains.c.org_id == ORG_ID, domains.c.id == bindparam("domain_id"))
    .values(refused_elsewhere=domains.c.refused_elsewhere + 1)
)


@dataclass(frozen=True, slots=True)
class Holder:
    org_id: str
    domain_id: str


@dataclass(frozen=True, slots=True)
class Holders:
    """Who owns a name, and who disputes that."""

    owner: Holder | None
    challenger: Holder | None

    def owner_as_seen_by(self, org_id: str) -> Owner:
        if self.owner is None:
            return Owner.NOBODY
        return Owner.US if self.owner.org_id == org_id else Owner.OTHERS


class Ownership(Enum):
    """`LAPSED`: ours, but the proof is gone; whom we know may sign in, nobody new comes in."""

    OK = "ok"
    LAPSED = "domain_lapsed"
    NOT_VERIFIED = "domain_not_verified"
    CAPTURED_ELSEWHERE = "domain_captured_elsewhere"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether this organization may vouch for an address; `owner` is who else owns its domain."""

    ownership: Ownership
    owner: Holder | None


class DomainOwnership:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def judge(self, email: EmailAddress) -> Judgement:
        """Whether the entered organization may sign the address in. One or two statements.

        After `CAPTURED_ELSEWHERE`, `count_refusal` belongs into a transaction of the owner.
        """
        owner = self.holders(email.domain).owner
        if owner is None:
            return Judgement(Ownership.NOT_VERIFIED, None)
        if owner.org_id != self._uow.org_id:
            return Judgement(Ownership.CAPTURED_ELSEWHERE, owner)
        state = self._uow.execute(_STATE, {"id": owner.domain_id}).scalar_one()
        return Judgement(Ownership.LAPSED if state == "lapsed" else Ownership.OK, None)

    def count_refusal(self, domain_id: str) -> None:
        """Note in the owner's organization, which must be entered, that a sign-in elsewhere was refused."""
        self._uow.execute(_COUNT, {"domain_id": domain_id})

    def holders(self, name: str) -> Holders:
        """Works with no organization entered as well."""
        rows = self._uow.execute_unscoped(_HOLDERS, {"key_hash": hash_token(name)})
        found = {row.kind: Holder(row.org_id, row.object_id) for row in rows}
        return Holders(found.get(CAPTURED), found.get(DISPUTED))

    def put(self, kind: str, name: str, domain_id: str) -> None:
        """Hold a name; fails on the database's constraint if another transaction was faster."""
        self._uow.execute(_INSERT, {"kind": kind, "key_hash": hash_token(name), "object_id": domain_id})

    def drop(self, kind: str, name: str, domain_id: str) -> None:
        self._uow.execute(_DROP, {"kind_": kind, "hash_": hash_token(name), "domain_id": domain_id})

    def hand_over(self, name: str, to: Holder) -> None:
        values = {"hash_": hash_token(name), "new_org_id": to.org_id, "new_domain_id": to.domain_id}
        self._uow.execute(_MOVE, values)
