"""Whose a domain is: the one look-up that claims, sign-ins and discovery ask.

A claim is held by one organization of all; `lookups` can hold it once. Of the claims that cover a domain
the longest counts. Neither side may see the other's rows, so what others need to know of a claim, that it
is disputed or has lapsed, is put down in `lookups` as well.
"""

from dataclasses import dataclass
from enum import Enum

from sqlalchemy import bindparam, delete, exists, insert, or_, select, update

from app.core.sql import is_one_of_texts
from app.core.tenancy import ORG_ID, lookups
from app.core.tokens import hash_token
from app.core.unit_of_work import UnitOfWork
from app.sso.addresses import EmailAddress
from app.sso.domain_names import claims_over
from app.sso.domain_states import Owner
from app.sso.families import Families
from app.sso.models import domains

CAPTURED, DISPUTED, LAPSED = "captured_domain", "disputed_domain", "lapsed_domain"

_HOLDERS = select(lookups.c.kind, lookups.c.org_id, lookups.c.object_id).where(
    lookups.c.key_hash == bindparam("key_hash"),
    or_(*(lookups.c.kind == kind for kind in (CAPTURED, DISPUTED, LAPSED))),
)
_COVERING = select(lookups.c.kind, lookups.c.key_hash, lookups.c.org_id, lookups.c.object_id).where(
    or_(lookups.c.kind == CAPTURED, lookups.c.kind == LAPSED), is_one_of_texts(lookups.c.key_hash, "hashes")
)
_VERIFIED = select(domains.c.id).where(domains.c.org_id == ORG_ID, domains.c.state == "verified").limit(1)
_doubt = lookups.alias("doubt")
# Of another organization, whose rows we cannot see: owned, and neither disputed nor lapsed.
_SOUND = (
    select(lookups.c.object_id)
    .where(
        lookups.c.kind == CAPTURED,
        lookups.c.org_id == bindparam("owner_id"),
        ~exists().where(
            or_(_doubt.c.kind == DISPUTED, _doubt.c.kind == LAPSED),
            _doubt.c.key_hash == lookups.c.key_hash,
        ),
    )
    .limit(1)
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
class Covering:
    """The claim that counts for a domain: who owns it, and whether its proof has lapsed."""

    owner: Holder
    is_lapsed: bool


@dataclass(frozen=True, slots=True)
class Holders:
    """Who owns a claim, who disputes that, and whether the owner's proof has lapsed."""

    owner: Holder | None
    challenger: Holder | None
    is_lapsed: bool

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
    def __init__(self, uow: UnitOfWork, families: Families) -> None:
        self._uow = uow
        self._families = families

    def judge(self, email: EmailAddress) -> Judgement:
        """Whether the entered organization, or its parent for it, owns the address. One or two statements.

        After `CAPTURED_ELSEWHERE`, `count_refusal` belongs into a transaction of the owner.
        """
        covering = self.covering(email.domain)
        if covering is None:
            return Judgement(Ownership.NOT_VERIFIED, None)
        if covering.owner.org_id not in (self._uow.org_id, self._families.parent()):
            return Judgement(Ownership.CAPTURED_ELSEWHERE, covering.owner)
        return Judgement(Ownership.LAPSED if covering.is_lapsed else Ownership.OK, None)

    def covering(self, domain: str) -> Covering | None:
        """The longest claim that is somebody's and covers a domain. Works with no organization entered."""
        hashes = [hash_token(claim) for claim in claims_over(domain)]
        rows = self._uow.execute_unscoped(_COVERING, {"hashes": hashes})
        found = {(row.kind, row.key_hash): Holder(row.org_id, row.object_id) for row in rows}
        for key_hash in hashes:
            owner = found.get((CAPTURED, key_hash))
            if owner is not None:
                return Covering(owner, (LAPSED, key_hash) in found)
        return None

    def has_verified(self) -> bool:
        """Whether any domain that the entered organization may use is verified."""
        uow, parent = self._uow, self._families.parent()
        if uow.execute(_VERIFIED).first() is not None:
            return True
        return parent is not None and uow.execute_unscoped(_SOUND, {"owner_id": parent}).first() is not None

    def count_refusal(self, domain_id: str) -> None:
        """Note in the owner's organization, which must be entered, that a sign-in elsewhere was refused."""
        self._uow.execute(_COUNT, {"domain_id": domain_id})

    def holders(self, name: str) -> Holders:
        """Who holds just this claim. Works with no organization entered as well."""
        rows = self._uow.execute_unscoped(_HOLDERS, {"key_hash": hash_token(name)})
        found = {row.kind: Holder(row.org_id, row.object_id) for row in rows}
        return Holders(found.get(CAPTURED), found.get(DISPUTED), LAPSED in found)

    def put(self, kind: str, name: str, domain_id: str) -> None:
        """Hold a name; fails on the database's constraint if another transaction was faster."""
        self._uow.execute(_INSERT, {"kind": kind, "key_hash": hash_token(name), "object_id": domain_id})

    def drop(self, kind: str, name: str, domain_id: str) -> bool:
        """Answers whether it was there."""
        values = {"kind_": kind, "hash_": hash_token(name), "domain_id": domain_id}
        return self._uow.execute(_DROP, values).rowcount > 0

    def hand_over(self, name: str, to: Holder) -> None:
        values = {"hash_": hash_token(name), "new_org_id": to.org_id, "new_domain_id": to.domain_id}
        self._uow.execute(_MOVE, values)
