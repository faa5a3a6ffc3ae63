"""What an identity provider's message may do once: it is spent by the transaction that believes it."""

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert as upsert

from app.core.tokens import hash_token
from app.core.unit_of_work import UnitOfWork
from app.sso.models_sign_in import consumed_assertions

_SPEND = upsert(consumed_assertions).on_conflict_do_nothing()


def spend(uow: UnitOfWork, connection_id: str, message_id: str, until: datetime) -> bool:
    """Spend a message of a connection; answers whether it had not been spent before.

    `until` is when nobody would believe it any more, so that it may be forgotten.
    """
    values = {
        "connection_id": connection_id,
        "assertion_hash": hash_token(message_id),
        "consumed_at": uow.now,
        "expires_at": until,
    }
    return uow.execute(_SPEND, values).rowcount == 1
