"""Organizations of one company: a child may use the verified domains of its parent.

Each side says its half in a transaction of its own, where its own log has it; only both halves together
make one the parent of the other. They stand in `lookups`, where organizations meet, both keyed by the
child. It must not know what a parent's domains are used for.
"""

from sqlalchemy import bindparam, delete, insert, or_, select

from app.core.errors import ConflictError, UnprocessableError
from app.core.tenancy import ORG_ID, lookups
from app.core.tokens import hash_token
from app.core.unit_of_work import UnitOfWork
from app.sso.domain_events import ChildAdopted, ChildReleased, ParentJoined, ParentLeft
from app.sso.models import domains

# Said by the parent about a child, and by a child about its parent.
ADOPTED, JOINED = "adopted_organization", "joined_organization"

_HALVES = select(lookups.c.kind, lookups.c.org_id, lookups.c.object_id).where(
    lookups.c.key_hash == bindparam("key_hash"), or_(lookups.c.kind == ADOPTED, lookups.c.kind == JOINED)
)
_CHILDREN = (
    select(lookups.c.object_id)
    .where(lookups.c.kind == ADOPTED, lookups.c.org_id == bindparam("of_id"))
    .limit(1)
)
_DISPUTED = select(domains.c.name).where(domains.c.org_id == ORG_ID, domains.c.state == "disputed").limit(1)
_INSERT = insert(lookups)
_DROP = delete(lookups).where(
    lookups.c.kind == bindparam("kind_"),
    lookups.c.key_hash == bindparam("hash_"),
    lookups.c.org_id == ORG_ID,
    lookups.c.object_id == bindparam("object_id_"),
)


class Families:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def parent(self) -> str | None:
        """The id of the entered organization's parent: the one that it joined and that adopted it."""
        adopted_by, joined = self._halves(self._uow.org_id)
        return joined if joined == adopted_by else None

    def join(self, parent_id: str, slug: str) -> None:
        """The child's half, which comes first; nothing happens when it was said before.

        Raises `ConflictError` for whatever stands in the way on either side.
        """
        uow = self._uow
        if parent_id == uow.org_id:
            raise UnprocessableError("An organization is not its own parent.")
        adopted_by, joined = self._halves(uow.org_id)
        if joined == parent_id:
            return
        if joined is not None or adopted_by is not None:
            raise ConflictError("The child has a parent already; release it there first.")
        if self._halves(parent_id)[1] is not None:
            raise ConflictError("The parent has a parent itself; take that one.")
        if uow.execute_unscoped(_CHILDREN, {"of_id": uow.org_id}).first() is not None:
            raise ConflictError("The child has children itself; a parent has none above it.")
        disputed = uow.execute(_DISPUTED).scalar_one_or_none()
        if disputed is not None:
            raise ConflictError(f"The child has a dispute about {disputed}; remove that domain there first.")
        self._put(JOINED, uow.org_id, parent_id)
        uow.add(ParentJoined(uow.org_id, {"parent_id": parent_id, "parent_slug": slug}))

    def adopt(self, child_id: str, slug: str) -> None:
        """The parent's half; nothing happens when it was said before."""
        uow = self._uow
        adopted_by, _ = self._halves(child_id)
        if adopted_by != uow.org_id:
            self._put(ADOPTED, child_id, child_id)
            uow.add(ChildAdopted(uow.org_id, {"child_id": child_id, "child_slug": slug}))

    def release(self, child_id: str, slug: str) -> None:
        """Take the parent's half back."""
        if self._drop(ADOPTED, child_id, child_id):
            self._uow.add(ChildReleased(self._uow.org_id, {"child_id": child_id, "child_slug": slug}))

    def leave(self, parent_id: str, slug: str) -> None:
        """Take the child's half back."""
        if self._drop(JOINED, self._uow.org_id, parent_id):
            self._uow.add(ParentLeft(self._uow.org_id, {"parent_id": parent_id, "parent_slug": slug}))

    def _halves(self, child_id: str) -> tuple[str | None, str | None]:
        """Who adopted a child, and whom it joined."""
        rows = self._uow.execute_unscoped(_HALVES, {"key_hash": hash_token(child_id)}).all()
        adopted_by = next((row.org_id for row in rows if row.kind == ADOPTED), None)
        return adopted_by, next((row.object_id for row in rows if row.kind == JOINED), None)

    def _put(self, kind: str, child_id: str, object_id: str) -> None:
        self._uow.execute(_INSERT, {"kind": kind, "key_hash": hash_token(child_id), "object_id": object_id})

    def _drop(self, kind: str, child_id: str, object_id: str) -> bool:
        values = {"kind_": kind, "hash_": hash_token(child_id), "object_id_": object_id}
        return self._uow.execute(_DROP, values).rowcount > 0
