"""E-mail addresses by which people are found: one stands in the user's row, the others in rows here.

Written whenever `emails` changes, by whoever writes users. An address finds people and decides nothing:
it is data, not an identity.
"""

from sqlalchemy import ColumnElement, bindparam, delete, insert, select, union_all

from app.core.tenancy import ORG_ID
from app.core.text import fold
from app.core.unit_of_work import UnitOfWork
from app.directory.models import other_emails, users
from app.directory.profile import Attributes, Profile

_INSERT = insert(other_emails)
_DELETE = delete(other_emails).where(
    other_emails.c.org_id == ORG_ID, other_emails.c.user_id == bindparam("owner_id")
)
_holders = users.alias("holders")


def holds_email(key: str) -> ColumnElement[bool]:
    """Whether the user of a query over `users` has the folded address, living or not; by index alone."""
    first = select(_holders.c.id).where(_holders.c.org_id == ORG_ID, _holders.c.email_key == key)
    others = select(other_emails.c.user_id).where(
        other_emails.c.org_id == ORG_ID, other_emails.c.email_key == key
    )
    return users.c.id.in_(union_all(first, others))


def store_others(uow: UnitOfWork, user_id: str, attributes: Attributes) -> None:
    """Let a new user be found by every address."""
    email_key = Profile.of(attributes).email_key
    keys = {fold(entry["value"]) for entry in attributes.get("emails", ()) if entry.get("value")}
    rows = [{"user_id": user_id, "email_key": key} for key in sorted(keys - {email_key})]
    if rows:
        uow.execute_many(_INSERT, rows)


def replace_others(uow: UnitOfWork, user_id: str, attributes: Attributes) -> None:
    """The same for a user whose addresses have changed."""
    uow.write(_DELETE, {"owner_id": user_id})
    store_others(uow, user_id, attributes)
