"""Organizations: created by the operator, described and adjusted by their administrators."""

from collections.abc import Mapping

from sqlalchemy import bindparam, insert, select, update

from app.core.connection import Row
from app.core.errors import ConflictError, NotFoundError
from app.core.tenancy import ORG_ID, lookups
from app.core.tokens import hash_token
from app.core.unit_of_work import UnitOfWork
from app.directory.events import OrganizationCreated, OrganizationUpdated
from app.directory.models import organizations

SLUG_LOOKUP = "organization_slug"

_BY_SLUG = select(lookups.c.org_id).where(
    lookups.c.kind == SLUG_LOOKUP, lookups.c.key_hash == bindparam("key_hash")
)
_ALL = select(lookups.c.org_id).where(lookups.c.kind == SLUG_LOOKUP).order_by(lookups.c.org_id)
_INSERT_LOOKUP = insert(lookups)
_INSERT = insert(organizations)
_CURRENT = select(organizations).where(organizations.c.org_id == ORG_ID)
_UPDATE = (
    update(organizations)
    .where(organizations.c.org_id == ORG_ID)
    .values(zone=bindparam("new_zone"), rights_mode=bindparam("new_rights_mode"))
)


class OrganizationService:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def create(self, slug: str, name: str) -> str:
        """Create the organization and enter it; raises `ConflictError` on a taken slug."""
        uow = self._uow
        if self._find(slug) is not None:
            raise ConflictError(f"The slug {slug!r} is taken.", code="slug_taken")
        org_id = uow.ids.new()
        uow.execute_unscoped(
            _INSERT_LOOKUP,
            {"kind": SLUG_LOOKUP, "key_hash": hash_token(slug), "org_id": org_id, "object_id": org_id},
        )
        uow.enter(org_id)
        values = {
            "slug": slug,
            "name": name,
            "zone": "UTC",
            "rights_mode": "union",
            "mapping_version": 1,
            "created_at": uow.now,
        }
        uow.execute(_INSERT, values)
        uow.add(OrganizationCreated(org_id, {"slug": slug, "name": name}))
        return org_id

    def enter(self, slug: str) -> None:
        """Bind the transaction to the organization with this slug; raises `NotFoundError`."""
        org_id = self._find(slug)
        if org_id is None:
            raise NotFoundError(
                f"There is no organization {slug!r}. Create it with: usher org create {slug} --name NAME"
            )
        self._uow.enter(org_id)

    def ids(self) -> list[str]:
        """Every organization here, for the worker, which enters them one at a time."""
        return self._uow.execute_unscoped(_ALL).scalars()

    def current(self) -> Row:
        return self._uow.execute(_CURRENT).one()

    def update(self, changes: Mapping[str, str]) -> Row:
        """Change `zone` or `rights_mode`; answers the row as it is afterwards."""
        before = self.current()
        values = {f"new_{name}": changes.get(name, getattr(before, name)) for name in ("zone", "rights_mode")}
        self._uow.execute(_UPDATE, values)
        self._uow.add(OrganizationUpdated(self._uow.org_id, dict(changes)))
        return self.current()

    def _find(self, slug: str) -> str | None:
        found = self._uow.execute_unscoped(_BY_SLUG, {"key_hash": hash_token(slug)})
        org_id: str | None = found.scalar_one_or_none()
        return org_id
