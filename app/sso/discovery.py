"""Which identity provider signs an address in: decided by its domain alone.

It must not know people. Whoever asks learns that a domain is captured, which DNS says as well, and nothing
about who has an account. A domain whose connection is only being tested looks like nobody's, but for the
testers, whom an administrator listed.
"""

from sqlalchemy import bindparam, case, select

from app.core.database import UtcDateTime
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.sso.addresses import EmailAddress
from app.sso.enforcement_day import is_in_force
from app.sso.models import connections, domains
from app.sso.ownership import DomainOwnership

_DOMAIN = select(domains.c.connection_id).where(domains.c.org_id == ORG_ID, domains.c.id == bindparam("id"))
_is_in_test = case((connections.c.mode == "test", 1), else_=0)
_moment = bindparam("moment", type_=UtcDateTime())
# What enforces sign-on, as nothing else lets people in then; of those the chosen one, else the oldest that
# is on, else the oldest that is being tested.
_CONNECTION = (
    select(connections.c.id, connections.c.mode, connections.c.testers)
    .where(connections.c.org_id == ORG_ID, connections.c.deleted_at.is_(None), connections.c.mode != "off")
    .order_by(
        case((is_in_force(_moment), 0), else_=1),
        case((connections.c.id == bindparam("chosen", type_=connections.c.id.type), 0), else_=1),
        _is_in_test,
        connections.c.id,
    )
    .limit(1)
)


class Discovery:
    def __init__(self, uow: UnitOfWork, ownership: DomainOwnership) -> None:
        self._uow = uow
        self._ownership = ownership

    def connection_for(self, email: EmailAddress) -> str | None:
        """The id of the connection for an address, whose organization is then entered.

        None for a domain that nobody has captured, whose proof has lapsed, or without a connection.
        """
        uow = self._uow
        covering = self._ownership.covering(email.domain)
        if covering is None or covering.is_lapsed:
            return None
        uow.enter(covering.owner.org_id)
        chosen = uow.execute(_DOMAIN, {"id": covering.owner.domain_id}).scalar_one()
        values = {"chosen": chosen, "moment": uow.now}
        found = uow.execute(_CONNECTION, values).first()
        if found is None or (found.mode == "test" and email.key not in found.testers):
            return None
        connection_id: str = found.id
        return connection_id
