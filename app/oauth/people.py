"""What tokens say about a person, and whether they may be used: one set of columns, one judgement.

It reads the directory's principal and nothing of how the rights came about.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import FromClause, and_

from app.core.connection import Row
from app.core.ids import edge_id
from app.directory.models import organizations, principals, roles, users
from app.directory.principals import as_of

SHOWN = (
    users.c.user_name,
    users.c.display_name,
    users.c.email,
    users.c.deleted_at.label("user_deleted_at"),
    *(
        principals.c[name]
        for name in (
            "active",
            "epoch",
            "seat_state",
            "role_id",
            "surfaces",
            "models",
            "denied_models",
            "permissions",
            "lapses_at",
        )
    ),
    roles.c.name.label("role"),
    organizations.c.slug.label("org_slug"),
)


def with_people(source: FromClause, holder: FromClause, *, maybe: bool = False) -> FromClause:
    """The rows of `source`, each with the person whom `holder` of it names; `maybe` keeps rows without."""
    # A return in the IdP takes the principal along; who was there before has none.
    theirs = and_(
        principals.c.org_id == holder.c.org_id,
        principals.c.id == users.c.principal_id,
        principals.c.user_id == holder.c.user_id,
    )
    return (
        source.join(
            users, and_(users.c.org_id == holder.c.org_id, users.c.id == holder.c.user_id), isouter=maybe
        )
        .join(principals, theirs, isouter=maybe)
        .join(organizations, organizations.c.org_id == holder.c.org_id, isouter=maybe)
        .outerjoin(roles, and_(roles.c.org_id == holder.c.org_id, roles.c.id == principals.c.role_id))
    )


def is_entitled(row: Row, now: datetime) -> bool:
    """Whether the person may use applications at this moment."""
    seat_state: str | None = as_of(row, now).seat_state
    return bool(row.active) and row.user_deleted_at is None and seat_state == "assigned"


def subject(user_id: str) -> str:
    return edge_id("user", user_id)


def claims_of(row: Row, scopes: Collection[str]) -> dict[str, Any]:
    """Everything that an application may know of its person, as they are at this moment."""
    claims: dict[str, Any] = {
        "sub": subject(row.user_id),
        "organization": {"id": edge_id("org", row.org_id), "slug": row.org_slug},
        "role": row.role,
        "surfaces": list(row.surfaces),
        "models": row.models,
        "denied_models": list(row.denied_models),
        "permissions": list(row.permissions),
        "seat_state": row.seat_state,
        "epoch": row.epoch,
    }
    if "profile" in scopes:
        claims |= {"name": row.display_name or row.user_name, "preferred_username": row.user_name}
    if "email" in scopes and row.email is not None:
        claims["email"] = row.email
    return claims
