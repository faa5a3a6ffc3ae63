"""The domains of an organization: claimed, proved, disputed, removed.

`domain_states` decides how a standing moves; this stores it, together with what the look-ups must say.
It must not know DNS; `domain_checks` looks and hands on what it saw.
"""

from base64 import b32encode
from collections.abc import Mapping, Sequence
from dataclasses import fields

from sqlalchemy import and_, bindparam, delete, exists, func, insert, or_, select, update

from app.core.connection import Row
from app.core.errors import ConcurrentUpdateError, ConflictError, NotFoundError
from app.core.ids import FIRST_ID
from app.core.tenancy import ORG_ID, lookups
from app.core.tokens import Randomness, hash_token
from app.core.unit_of_work import UnitOfWork
from app.sso.domain_events import DomainClaimed, DomainMoved, DomainRemoved, DomainUpdated
from app.sso.domain_names import claimable_name
from app.sso.domain_states import Look, Owner, Standing, Step, after_look, after_others, next_look
from app.sso.families import Families
from app.sso.models import connections, domains
from app.sso.ownership import CAPTURED, DISPUTED, LAPSED, DomainOwnership, Holders

TOKEN_BYTES = 20
# Claims of one organization; the worker looks at each of them.
MAX_DOMAINS = 1_000
_STANDING = tuple(field.name for field in fields(Standing) if field.name not in ("by_operator", "created_at"))

_LIST = (
    select(domains)
    .where(domains.c.org_id == ORG_ID, domains.c.id > bindparam("after"))
    .order_by(domains.c.id)
)
_BY_ID = select(domains).where(domains.c.org_id == ORG_ID, domains.c.id == bindparam("id"))
_LOCK = _BY_ID.with_for_update()
_BY_NAME = select(domains.c.id).where(domains.c.org_id == ORG_ID, domains.c.name == bindparam("name"))
_COUNT = select(func.count()).where(domains.c.org_id == ORG_ID)
_INSERT = insert(domains)
_MOVE = (
    update(domains)
    .where(domains.c.org_id == ORG_ID, domains.c.id == bindparam("row_id"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (*_STANDING, "proof", "verified_at", "checked_at", "look")
        }
    )
)
_CHOOSE = (
    update(domains)
    .where(domains.c.org_id == ORG_ID, domains.c.id == bindparam("row_id"))
    .values(connection_id=bindparam("new_connection_id"))
)
_DELETE = delete(domains).where(domains.c.org_id == ORG_ID, domains.c.id == bindparam("row_id"))
_CONNECTION = select(connections.c.id).where(
    connections.c.org_id == ORG_ID, connections.c.id == bindparam("id"), connections.c.deleted_at.is_(None)
)
_ENFORCED = (
    select(connections.c.id)
    .where(
        connections.c.org_id == ORG_ID, connections.c.mode == "enforced", connections.c.deleted_at.is_(None)
    )
    .limit(1)
)
_dispute = exists().where(lookups.c.kind == DISPUTED, lookups.c.key_hash == domains.c.name_hash)
_owned = exists().where(
    lookups.c.kind == CAPTURED, lookups.c.key_hash == domains.c.name_hash, lookups.c.org_id == ORG_ID
)
_taken = exists().where(lookups.c.kind == CAPTURED, lookups.c.key_hash == domains.c.name_hash)
# Another organization has begun or ended a dispute, or removed what was disputed.
_MOVED_BY_OTHERS = (
    select(domains.c.id)
    .where(
        domains.c.org_id == ORG_ID,
        or_(
            and_(domains.c.state != "disputed", _dispute, _owned),
            and_(domains.c.state == "disputed", or_(~_dispute, ~_taken)),
        ),
    )
    .limit(100)
)


class DomainService:
    """`own_host` is the host name of this installation, which nobody can claim."""

    def __init__(
        self,
        uow: UnitOfWork,
        ownership: DomainOwnership,
        families: Families,
        randomness: Randomness,
        own_host: str,
    ) -> None:
        self._uow = uow
        self._ownership = ownership
        self._families = families
        self._randomness = randomness
        self._own_host = own_host

    def page(self, *, after: str = FIRST_ID, limit: int) -> Sequence[Row]:
        return self._uow.execute(_LIST.limit(limit), {"after": after}).all()

    def get(self, domain_id: str) -> Row:
        return self._found(domain_id, self._uow.execute(_BY_ID, {"id": domain_id}).first())

    def claim(self, name: str) -> Row:
        """Claim a domain; it is pending until control is proved. Raises `DomainRefusedError`."""
        ascii_name = claimable_name(name, self._own_host)
        if self._uow.execute(_BY_NAME, {"name": ascii_name}).first() is not None:
            raise ConflictError(f"{ascii_name} is among your domains already.", code="domain_exists")
        self._refuse_parents(ascii_name)
        return self._insert(ascii_name)

    def verify_by_operator(self, name: str) -> Row:
        """Take the operator's word for it, also for a name that was not claimed before."""
        ascii_name = claimable_name(name, self._own_host)
        self._refuse_parents(ascii_name)
        found = self._uow.execute(_BY_NAME, {"name": ascii_name}).scalar_one_or_none()
        domain = self._insert(ascii_name) if found is None else self.get(found)
        return self.apply(domain.id, Look.PRESENT, "operator")

    def choose_connection(self, domain_id: str, connection_id: str | None) -> Row:
        """Say which connection discovery takes; null leaves it to the oldest that is on."""
        uow = self._uow
        domain = self.lock(domain_id)
        if connection_id is not None and uow.execute(_CONNECTION, {"id": connection_id}).first() is None:
            raise NotFoundError(
                f"There is no connection with the id {connection_id!r}.", code="connection_not_found"
            )
        uow.execute(_CHOOSE, {"row_id": domain_id, "new_connection_id": connection_id})
        uow.add(DomainUpdated(domain_id, {"name": domain.name, "connection_id": connection_id}))
        return self.get(domain_id)

    def remove(self, domain_id: str) -> None:
        """Give a domain up; others may then capture it."""
        uow = self._uow
        domain = self.lock(domain_id)
        owner = self._ownership.holders(domain.name).owner_as_seen_by(uow.org_id)
        if owner is Owner.US and uow.execute(_ENFORCED).first() is not None:
            raise ConflictError(
                "Sign-on is enforced; take that back before a domain is given up.", code="sso_enforced"
            )
        # The dispute first: whoever is about to hand the name over to us holds it, and then we have the name.
        for kind in (DISPUTED, LAPSED, CAPTURED):
            self._ownership.drop(kind, domain.name, domain_id)
        uow.execute(_DELETE, {"row_id": domain_id})
        uow.add(DomainRemoved(domain_id, {"name": domain.name, "state": domain.state}))

    def apply(self, domain_id: str, look: Look, proof: str = "dns") -> Row:
        """Move the domain by what a look, or the operator's word, tells; `proof` is what was looked at."""
        uow = self._uow
        domain, holders = self._caught_up(domain_id)
        proved: str | None = proof if look is Look.PRESENT else domain.proof
        standing = _standing(domain, proved)
        after, step = after_look(standing, holders.owner_as_seen_by(uow.org_id), look, uow.now)
        if step is Step.DISPUTE and (holders.challenger is not None or self._is_parents(holders)):
            # One dispute at a time, and none with the parent; this claim is looked at again later.
            after, step = standing.settled("pending", next_look(domain.created_at, uow.now)), Step.NONE
        self._tell(step, domain, holders, after)
        if step is Step.HAND_OVER:
            proved = None
        looked = {"new_checked_at": uow.now, "new_look": look.value}
        if proof == "operator":
            looked = {}
        return self._store(domain, after, proved, looked)

    def follow_others(self) -> None:
        """Move each domain about which another organization has begun or ended a dispute."""
        for domain_id in self._uow.execute(_MOVED_BY_OTHERS).scalars():
            self._caught_up(domain_id)

    def has_moved_by_others(self) -> bool:
        return self._uow.execute(_MOVED_BY_OTHERS).first() is not None

    def lock(self, domain_id: str) -> Row:
        return self._found(domain_id, self._uow.execute(_LOCK, {"id": domain_id}).first())

    def _caught_up(self, domain_id: str) -> tuple[Row, Holders]:
        """The domain, locked, after what other organizations did about it, and who holds it."""
        domain = self.lock(domain_id)
        holders = self._ownership.holders(domain.name)
        standing = _standing(domain, domain.proof)
        after, step = after_others(
            standing,
            holders.owner_as_seen_by(self._uow.org_id),
            is_disputed=holders.challenger is not None,
            is_lapsed=holders.is_lapsed,
            now=self._uow.now,
        )
        if after == standing and step is Step.NONE:
            return domain, holders
        self._tell(step, domain, holders, after)
        moved = self._store(domain, after, domain.proof if after.state != "pending" else None, {})
        return moved, self._ownership.holders(domain.name)

    def _insert(self, name: str) -> Row:
        uow = self._uow
        if uow.execute(_COUNT).scalar_one() >= MAX_DOMAINS:
            raise ConflictError(f"At most {MAX_DOMAINS} domains are possible.", code="too_many")
        domain_id = uow.ids.new()
        values = {
            "id": domain_id,
            "name": name,
            "name_hash": hash_token(name),
            "state": "pending",
            "token": b32encode(self._randomness.token_bytes(TOKEN_BYTES)).decode().lower(),
            "created_at": uow.now,
            "due_at": next_look(uow.now, uow.now),
            "absences": 0,
            "refused_elsewhere": 0,
        }
        uow.execute(_INSERT, values)
        uow.add(DomainClaimed(domain_id, {"name": name}))
        return self.get(domain_id)

    def _refuse_parents(self, name: str) -> None:
        if self._is_parents(self._ownership.holders(name)):
            raise ConflictError(
                f"Your parent organization has {name}; your connections may use it as it is.",
                code="domain_of_parent",
            )

    def _is_parents(self, holders: Holders) -> bool:
        return holders.owner is not None and holders.owner.org_id == self._families.parent()

    def _tell(self, step: Step, domain: Row, holders: Holders, after: Standing) -> None:
        """Let the look-ups say what the new standing means to everybody."""
        ownership, name = self._ownership, domain.name
        if step is Step.TAKE:
            ownership.put(CAPTURED, name, domain.id)
            ownership.drop(DISPUTED, name, domain.id)
        if step is Step.DISPUTE:
            ownership.put(DISPUTED, name, domain.id)
        if step is Step.WITHDRAW:
            self._end_dispute(name, domain.id)
        if step in (Step.KEEP, Step.HAND_OVER) and holders.challenger is not None:
            self._end_dispute(name, holders.challenger.domain_id)
        if step is Step.HAND_OVER and holders.challenger is not None:
            ownership.hand_over(name, holders.challenger)
        if after.state == "lapsed" and not holders.is_lapsed:
            ownership.put(LAPSED, name, domain.id)
        if after.state in ("verified", "pending") and holders.is_lapsed:
            ownership.drop(LAPSED, name, domain.id)

    def _end_dispute(self, name: str, challenger_id: str) -> None:
        """End it before its end has any effect: the two sides may both be about to."""
        if not self._ownership.drop(DISPUTED, name, challenger_id):
            raise ConcurrentUpdateError(f"The dispute about {name} was ended at this moment; look again.")

    def _store(self, domain: Row, after: Standing, proof: str | None, looked: Mapping[str, object]) -> Row:
        uow = self._uow
        is_new = after.state == "verified" and domain.state != "verified"
        values = {
            "row_id": domain.id,
            **{f"new_{name}": getattr(after, name) for name in _STANDING},
            "new_proof": proof,
            "new_verified_at": uow.now if is_new else domain.verified_at,
            "new_checked_at": domain.checked_at,
            "new_look": domain.look,
            **looked,
        }
        uow.execute(_MOVE, values)
        if after.state != domain.state:
            uow.add(DomainMoved(domain.id, domain.name, domain.state, after.state, proof))
        return self.get(domain.id)

    @staticmethod
    def _found(domain_id: str, row: Row | None) -> Row:
        if row is None:
            raise NotFoundError(f"There is no domain with the id {domain_id!r}.", code="domain_not_found")
        return row


def _standing(domain: Row, proof: str | None) -> Standing:
    values = {name: getattr(domain, name) for name in (*_STANDING, "created_at")}
    return Standing(by_operator=proof == "operator", **values)
