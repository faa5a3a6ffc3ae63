"""`/groups`: the groups that the identity provider pushes."""

from typing import Any

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, page_of
from app.api.schemas.common import PageQuery, list_of
from app.api.schemas.users import GroupSchema, UserSchema, show_user
from app.api.tables import CSV
from app.core.connection import Row
from app.directory.queries import DirectoryQueries
from app.web.context import service

groups = Endpoints("Groups")


@groups.endpoint(
    "GET", "/groups", scope=scopes.DIRECTORY_READ, query=PageQuery(), answer=list_of(GroupSchema)
)
def list_groups(query: Query) -> dict[str, Any]:
    """List the groups, the oldest first."""
    return page_of(
        "groups",
        query,
        lambda after, limit: service(DirectoryQueries).groups(after=after, limit=limit),
        key=lambda group: str(group.id),
        show=lambda group: group,
    )


@groups.endpoint("GET", "/groups/<group_id>", scope=scopes.DIRECTORY_READ, answer=GroupSchema())
def get_group(group_id: str) -> Row:
    """Show a group."""
    return service(DirectoryQueries).group(group_id)


@groups.endpoint(
    "GET",
    "/groups/<group_id>/members",
    scope=scopes.DIRECTORY_READ,
    query=PageQuery(),
    answer=list_of(UserSchema),
    other_media_type=CSV,
)
def list_group_members(group_id: str, query: Query) -> dict[str, Any]:
    """List the people who are direct members of a group; groups in it, and who is in them, are not listed."""
    queries = service(DirectoryQueries)
    queries.group(group_id)
    return page_of(
        f"groups/{group_id}/members",
        query,
        lambda after, limit: queries.people(after=after, limit=limit, filters={"group_id": group_id}),
        key=lambda person: str(person.id),
        show=show_user,
    )
