"""The secrets by which OpenID providers know us: sealed, each bound to its connection."""

from typing import Any

from app.core.connection import Row
from app.core.sealing import Sealed, Sealer
from app.core.unit_of_work import UnitOfWork


class ClientSecrets:
    def __init__(self, uow: UnitOfWork, sealer: Sealer) -> None:
        self._uow = uow
        self._sealer = sealer

    def columns(self, connection_id: str, secret: str) -> dict[str, Any]:
        """The columns of `connections` that hold the secret."""
        sealed = self._sealer.seal(secret, bound_to=f"{self._uow.org_id} {connection_id}")
        return {"sealed_client_secret": sealed.text, "sealing_key_id": sealed.key_id}

    def opened(self, connection: Row) -> str:
        sealed = Sealed(connection.sealed_client_secret, connection.sealing_key_id)
        return self._sealer.open(sealed, bound_to=f"{connection.org_id} {connection.id}")
