"""Who is whose manager: named as the manager is called now, forgotten when the manager is deleted.

A user's attributes hold the manager's id alone. Nobody has to have that id, because the IdP sends people
in any order; what is shown besides comes from the living manager's row at each read.
"""

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import bindparam, case, func, select, update

from app.core.batches import BATCH
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.events import ManagerForgotten
from app.directory.models import users
from app.directory.profile import Attributes, without_manager

LIVING_MANAGER = users.alias("manager")
IS_MANAGER = (
    LIVING_MANAGER.c.org_id == ORG_ID,
    LIVING_MANAGER.c.id == users.c.manager_id,
    LIVING_MANAGER.c.deleted_at.is_(None),
)
# Where people are read from `people.SHOWN`: null for nobody living, empty for somebody without a displayName.
SHOWN_NAME = case((LIVING_MANAGER.c.id.is_not(None), func.coalesce(LIVING_MANAGER.c.display_name, ""))).label(
    "manager_name"
)
_NAME = select(func.coalesce(users.c.display_name, "")).where(
    users.c.org_id == ORG_ID, users.c.id == bindparam("id"), users.c.deleted_at.is_(None)
)
_REPORTS = (
    select(users.c.id, users.c.attributes)
    .where(
        users.c.org_id == ORG_ID,
        users.c.manager_id == bindparam("manager"),
        users.c.deleted_at.is_(None),
    )
    .order_by(users.c.id)
    .limit(BATCH)
    .with_for_update(key_share=True)
)
_FORGET = (
    update(users)
    .where(users.c.org_id == ORG_ID, users.c.id == bindparam("row_id"))
    .values(
        manager_id=None,
        attributes=bindparam("new_attributes"),
        search=bindparam("new_search"),
        version=users.c.version + 1,
        last_modified_at=bindparam("moment"),
    )
)


def name_of(uow: UnitOfWork, manager_id: str | None) -> str | None:
    """The displayName of a living person, empty without one; `None` for nobody."""
    if manager_id is None:
        return None
    name: str | None = uow.execute(_NAME, {"id": manager_id}).scalar_one_or_none()
    return name


def forget(uow: UnitOfWork, index: Callable[[Attributes], dict[str, Any]], manager_id: str) -> None:
    """Take a deleted person out of everybody who has them as manager, in bounded batches."""
    while reports := uow.execute(_REPORTS, {"manager": manager_id}).all():
        rows = []
        for report in reports:
            attributes = without_manager(json.loads(report.attributes))
            rows.append(
                {
                    "row_id": report.id,
                    "new_attributes": json.dumps(attributes, ensure_ascii=False, separators=(",", ":")),
                    "new_search": index({key: attributes[key] for key in attributes if key != "active"}),
                    "moment": uow.now,
                }
            )
        uow.execute_many(_FORGET, rows)
        uow.add(ManagerForgotten(manager_id, tuple(report.id for report in reports)))
