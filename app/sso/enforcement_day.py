"""What holds from the day on which sign-on is enforced, as conditions that nobody need write down first.

From then on only a connection in force lets people in, and whoever was signed in before signs in anew. It
must not know how a connection comes to be enforced; `enforcement` does.
"""

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, FromClause, and_, exists

from app.core.tenancy import ORG_ID
from app.sso.models import connections
from app.sso.models_sign_in import sessions


def is_in_force(moment: BindParameter[Any], table: FromClause = connections) -> ColumnElement[bool]:
    """Whether a row of connections enforces sign-on at this moment."""
    return and_(table.c.deleted_at.is_(None), table.c.mode == "enforced", table.c.enforced_at <= moment)


def is_from_before(moment: BindParameter[Any]) -> ColumnElement[bool]:
    """Whether a session began before its organization's sign-on was enforced."""
    return exists().where(
        connections.c.org_id == sessions.c.org_id,
        is_in_force(moment),
        connections.c.enforced_at > sessions.c.created_at,
    )


def is_enforced_elsewhere(moment: BindParameter[Any]) -> ColumnElement[bool]:
    """Whether another connection than a selected one, which is not in force itself, enforces sign-on."""
    other = connections.alias("enforced_connection")
    return and_(
        ~is_in_force(moment),
        exists().where(other.c.org_id == ORG_ID, is_in_force(moment, other), other.c.id != connections.c.id),
    )
