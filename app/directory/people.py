"""What statements read people from: users with their principal, and with all that is shown of them.

It must not know which columns are read, or by whom.
"""

from sqlalchemy import and_

from app.core.tenancy import ORG_ID
from app.directory.managers import IS_MANAGER, LIVING_MANAGER
from app.directory.models import principals, roles, users

WITH_PRINCIPAL = users.join(
    principals,
    and_(principals.c.org_id == users.c.org_id, principals.c.id == users.c.principal_id),
)
# Beside the principal their living manager and their role, where they have one. Joined, because a look-up
# for each person took a fifth of a page's time in PostgreSQL.
SHOWN = WITH_PRINCIPAL.outerjoin(LIVING_MANAGER, and_(*IS_MANAGER)).outerjoin(
    roles, and_(roles.c.org_id == ORG_ID, roles.c.id == principals.c.role_id)
)
