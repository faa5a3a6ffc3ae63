"""Organizations: created by the operator, described and adjusted by their administrators."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from app.core.connection import Row
from app.core.errors import ConflictError, NotFoundError
from app.core.money import NANOUSD_PER_USD
from app.core.tenancy import ORG_ID, ORGANIZATION, lookups
from app.core.tokens import hash_token
from app.core.unit_of_work import UnitOfWork
from app.directory.events import OrganizationCreated, OrganizationUpdated
from app.directory.models import organizations

_BY_SLUG = select(lookups.c.org_id).where(
    lookups.c.kind == ORGANIZATION, lookups.c.key_hash == bindparam("key_hash")
)
_ALL = select(lookups.c.org_id).where(lookups.c.kind == ORGANIZATION).order_by(lookups.c.org_id)
_INSERT_LOOKUP = insert(lookups)
_INSERT = insert(organizations)
_CURRENT = select(organizations).where(organizations.c.org_id == ORG_ID)
_LOCK = _CURRENT.with_for_update()
# What an organization begins with and its administrators change.
DEFAULTS: Mapping[str, Any] = {
    "zone": "UTC",
    "rights_mode": "union",
    "end_sessions_on_group_loss": False,
    "jit_seat_days": 30,
    "seat_fee_nanousd": 20 * NANOUSD_PER_USD,
    "inflight_policy": "finish",
    "fallback_model": None,
    "ceiling": None,
    "removal_guard": {"enabled": True, "share_percent": 20, "minimum_people": 10, "window_minutes": 10},
}
_UPDATE = (
    update(organizations)
    .where(organizations.c.org_id == ORG_ID)
    .values({name: bindparam(f"new_{name}") for name in DEFAULTS})
)


class OrganizationService:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow
        self._current: Row | None = None

    def create(self, slug: str, name: str) -> str:
        """Create the organization and enter it; raises `ConflictError` on a taken slug."""
        uow = self._uow
        if self._find(slug) is not None:
            raise ConflictError(f"The slug {slug!r} is taken.", code="slug_taken")
        org_id = uow.ids.new()
        uow.execute_unscoped(
            _INSERT_LOOKUP,
            {"kind": ORGANIZATION, "key_hash": hash_token(slug), "org_id": org_id, "object_id": org_id},
        )
        uow.enter(org_id)
        values = {"slug": slug, "name": name, "mapping_version": 1, "created_at": uow.now}
        uow.execute(_INSERT, {**DEFAULTS, **values})
        uow.add(OrganizationCreated(org_id, {"slug": slug, "name": name}))
        return org_id

    def enter(self, slug: str) -> None:
        """Bind the transaction to the organization with this slug; raises `NotFoundError`."""
        self._uow.enter(self.id_of(slug))

    def id_of(self, slug: str) -> str:
        """The id behind a slug, without entering; raises `NotFoundError`."""
        org_id = self._find(slug)
        if org_id is None:
            raise NotFoundError(
                f"There is no organization {slug!r}. Create it with: usher org create {slug} --name NAME"
            )
        return org_id

    def ids(self) -> list[str]:
        """Every organization here, for the worker, which enters them one at a time."""
        return self._uow.execute_unscoped(_ALL).scalars()

    def current(self) -> Row:
        """The settings, read once in a transaction, whoever asks for them."""
        if self._current is None:
            self._current = self._uow.execute(_CURRENT).one()
        return self._current

    def update(self, changes: Mapping[str, Any]) -> Row:
        """Change some of `DEFAULTS`; answers the row as it is afterwards.

        The event names what became different, and nothing happens when nothing did.
        """
        uow = self._uow
        # The row is also the version of the mappings: whoever decides about everybody holds it.
        before = uow.execute(_LOCK).one()
        different = {name: value for name, value in changes.items() if getattr(before, name) != value}
        if not different:
            return before
        values = {f"new_{name}": different.get(name, getattr(before, name)) for name in DEFAULTS}
        uow.execute(_UPDATE, values)
        self._current = None
        uow.add(OrganizationUpdated(uow.org_id, different))
        return self.current()

    def _find(self, slug: str) -> str | None:
        found = self._uow.execute_unscoped(_BY_SLUG, {"key_hash": hash_token(slug)})
        org_id: str | None = found.scalar_one_or_none()
        return org_id
