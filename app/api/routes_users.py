"""`/users`: people as the identity provider gave them, with what they have here."""

from typing import Any

from app.api import scopes
from app.api.declarations import Endpoints
from app.api.routes_pages import Query, filters_of, page_of
from app.api.schemas.common import list_of
from app.api.schemas.explanation import ExplanationSchema, show_explanation
from app.api.schemas.users import UserQuery, UserSchema, show_user
from app.api.tables import CSV
from app.directory.queries import DirectoryQueries
from app.directory.users import UserService
from app.governance.explain import ExplainService
from app.web.context import service, settle

users = Endpoints("Users")


@users.endpoint(
    "GET",
    "/users",
    scope=scopes.DIRECTORY_READ,
    query=UserQuery(),
    answer=list_of(UserSchema),
    other_media_type=CSV,
)
def list_users(query: Query) -> dict[str, Any]:
    """List people, the oldest first; names and addresses are compared without case."""
    filters = filters_of(query)
    queries = service(DirectoryQueries)
    if "group_id" in filters:
        queries.group(filters["group_id"])
    return page_of(
        "users",
        query,
        lambda after, limit: queries.people(after=after, limit=limit, filters=filters),
        key=lambda person: str(person.id),
        show=show_user,
    )


@users.endpoint("GET", "/users/<user_id>", scope=scopes.DIRECTORY_READ, answer=UserSchema())
def get_user(user_id: str) -> dict[str, Any]:
    """Show a person."""
    return show_user(service(DirectoryQueries).person(user_id))


@users.endpoint("GET", "/users/<user_id>/explain", scope=scopes.GOVERNANCE_READ, answer=ExplanationSchema())
def explain_user(user_id: str) -> dict[str, Any]:
    """Explain where a person's rights come from, what lost, and which changes came last."""
    return show_explanation(service(ExplainService).explain(user_id))


@users.endpoint("POST", "/users/<user_id>/deactivate", scope=scopes.ADMIN, answer=UserSchema())
def deactivate_user(user_id: str) -> dict[str, Any]:
    """Switch a person off here; the identity provider cannot lift that."""
    people = service(UserService)
    people.block(people.lock(user_id))
    return _as_settled(user_id)


@users.endpoint("POST", "/users/<user_id>/reactivate", scope=scopes.ADMIN, answer=UserSchema())
def reactivate_user(user_id: str) -> dict[str, Any]:
    """Lift an administrator's block; only group seats come back."""
    people = service(UserService)
    people.unblock(people.lock(user_id))
    return _as_settled(user_id)


def _as_settled(user_id: str) -> dict[str, Any]:
    # Seats follow by event; the answer shows them as they are afterwards.
    settle()
    return show_user(service(DirectoryQueries).person(user_id))
