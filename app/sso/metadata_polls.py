"""Reads again what identity providers publish: daily, and at once when an unknown key has signed.

What cannot be used changes nothing but a note: the connection keeps what it read before.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import bindparam, or_, select, update

from app.core.connection import Row
from app.core.errors import UsherError
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.sso.connection_events import MetadataRefused
from app.sso.connections import ConnectionService
from app.sso.idp_settings import IdpSettings, SettingsReader
from app.sso.models import connections

RETRY_EVERY = timedelta(hours=1)
# An unknown key makes the metadata due at once, but not more often than this.
ASKED_EVERY = timedelta(minutes=5)
STEP = 4

_DUE = (
    select(
        *(
            connections.c[name]
            for name in ("id", "protocol", "idp_entity_id", "metadata_url", "metadata_due_at")
        )
    )
    .where(
        connections.c.org_id == ORG_ID,
        connections.c.deleted_at.is_(None),
        connections.c.metadata_due_at <= bindparam("moment"),
    )
    .order_by(connections.c.metadata_due_at)
    .limit(STEP)
)
_STILL_DUE = _DUE.with_for_update()
_ASK = (
    update(connections)
    .where(
        connections.c.org_id == ORG_ID,
        connections.c.id == bindparam("row_id"),
        connections.c.metadata_url.is_not(None),
        # What could not be read is tried again by the hour anyway.
        connections.c.metadata_error.is_(None),
        or_(connections.c.metadata_read_at.is_(None), connections.c.metadata_read_at < bindparam("before")),
    )
    .values(metadata_due_at=bindparam("moment"))
)

Found = IdpSettings | UsherError


class MetadataPolls:
    def __init__(
        self,
        uow: UnitOfWork,
        service: ConnectionService,
        readers: Mapping[str, SettingsReader],
    ) -> None:
        self._uow = uow
        self._service = service
        self._readers = readers

    def ask_now(self, connection_id: str) -> None:
        """An unknown key has signed: let the worker read the metadata at once, if there is a URL."""
        now = self._uow.now
        self._uow.execute(_ASK, {"row_id": connection_id, "moment": now, "before": now - ASKED_EVERY})

    def has_due(self) -> bool:
        return self._uow.execute(_DUE, {"moment": self._uow.now}).first() is not None

    def run_due(self) -> bool:
        """Read what is due; answers whether there may be more."""
        uow = self._uow
        due = uow.execute(_DUE, {"moment": uow.now}).all()
        uow.pause()
        found = dict(zip(due, self._read(due), strict=True))
        for row in uow.execute(_STILL_DUE, {"moment": uow.now}).all():
            if row in found:
                self._apply(row, found[row])
        return len(due) == STEP

    def _read(self, due: Sequence[Row]) -> list[Found]:
        if not due:
            return []
        with ThreadPoolExecutor(max_workers=len(due)) as pool:
            return list(pool.map(self._read_one, due))

    def _read_one(self, connection: Row) -> Found:
        try:
            return self._readers[connection.protocol].read_again(connection)
        except UsherError as error:
            return error

    def _apply(self, row: Row, found: Found) -> None:
        if isinstance(found, UsherError):
            self._note(self._service.row(row.id), found)
        else:
            self._service.store(row.id, {}, found)

    def _note(self, connection: Row, error: UsherError) -> None:
        changes = {"metadata_error": error.detail, "metadata_due_at": self._uow.now + RETRY_EVERY}
        self._service.store(connection.id, changes, None)
        if connection.metadata_error != error.detail:
            data = {"code": error.code, "detail": error.detail}
            self._uow.add(MetadataRefused(connection.id, data))
