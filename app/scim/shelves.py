"""Where users and groups stand: their statements, and where the filter finds each attribute.

An attribute that is neither a real column nor a related row is read from the search document.
"""

from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam, case, cast, exists, func, literal, select

from app.core.sql import json_list, json_object
from app.core.tenancy import ORG_ID
from app.directory.emails import holds_email
from app.directory.models import groups, memberships, users
from app.scim.protocol.filter_sql import Bindings, Column, Kind, Relation
from app.scim.shelf import Shelf

_base_url = bindparam("base_url", type_=Text())


_groups_of_the_user = (
    memberships.c.org_id == ORG_ID,
    memberships.c.user_id == users.c.id,
    groups.c.org_id == ORG_ID,
    groups.c.id == memberships.c.group_id,
)
_members_of_the_group = (memberships.c.org_id == ORG_ID, memberships.c.group_id == groups.c.id)


def _in_group(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(*_groups_of_the_user, condition)


def _smallest_group(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    smallest = select(func.min(expression)).select_from(memberships, groups)
    return smallest.where(*_groups_of_the_user).correlate(users).scalar_subquery()


def _has_member(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(*_members_of_the_group, condition)


def _smallest_member(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    smallest = select(func.min(expression)).select_from(memberships)
    return smallest.where(*_members_of_the_group).correlate(groups).scalar_subquery()


# RFC 7643 section 4.1.2: `groups` mirrors membership and is read-only.
groups_of_user = (
    select(
        json_list(
            json_object(
                literal("value"),
                groups.c.id,
                literal("$ref"),
                _base_url + "/Groups/" + cast(groups.c.id, Text),
                literal("display"),
                groups.c.display_name,
                literal("type"),
                literal("direct"),
            )
        )
    )
    .where(*_groups_of_the_user)
    .correlate(users)
    .scalar_subquery()
    .label("related")
)
_member = (
    literal("value"),
    users.c.id,
    literal("$ref"),
    _base_url + "/Users/" + cast(users.c.id, Text),
    literal("type"),
    literal("User"),
)
# Who has no displayName has no `display`: a client that added a member without one compares what it
# sent with what it reads.
_named_member = json_object(*_member, literal("display"), users.c.display_name)
_members_of_group = (
    select(json_list(case((users.c.display_name.is_(None), json_object(*_member)), else_=_named_member)))
    .where(
        memberships.c.org_id == ORG_ID,
        memberships.c.group_id == groups.c.id,
        users.c.org_id == ORG_ID,
        users.c.id == memberships.c.user_id,
    )
    .correlate(groups)
    .scalar_subquery()
    .label("related")
)

USERS = Shelf.of(
    users,
    "user",
    Bindings(
        document=users.c.search,
        columns={
            "id": Column(users.c.id, Kind.UUID),
            "userName": Column(users.c.user_name_key),
            "externalId": Column(users.c.external_id),
            "active": Column(users.c.active, Kind.BOOLEAN),
            "meta.resourceType": Column(literal("User")),
            "meta.location": Column(_base_url + "/Users/" + cast(users.c.id, Text)),
            "meta.version": Column(literal('W/"') + cast(users.c.version, Text) + literal('"')),
            "meta.created": Column(users.c.created_at, Kind.INSTANT),
            "meta.lastModified": Column(users.c.last_modified_at, Kind.INSTANT),
        },
        relations={
            "groups": Relation(
                columns={
                    "value": Column(memberships.c.group_id, Kind.UUID),
                    "display": Column(groups.c.display_name_key),
                    "type": Column(literal("direct")),
                },
                exists=_in_group,
                smallest=_smallest_group,
            )
        },
        finders={"emails": holds_email},
    ),
    groups_of_user,
)
GROUPS = Shelf.of(
    groups,
    "group",
    Bindings(
        document=groups.c.search,
        columns={
            "id": Column(groups.c.id, Kind.UUID),
            "displayName": Column(groups.c.display_name_key),
            "externalId": Column(groups.c.external_id),
            "meta.resourceType": Column(literal("Group")),
            "meta.location": Column(_base_url + "/Groups/" + cast(groups.c.id, Text)),
            "meta.version": Column(literal('W/"') + cast(groups.c.version, Text) + literal('"')),
            "meta.created": Column(groups.c.created_at, Kind.INSTANT),
            "meta.lastModified": Column(groups.c.last_modified_at, Kind.INSTANT),
        },
        relations={
            "members": Relation(
                columns={
                    "value": Column(memberships.c.user_id, Kind.UUID),
                    "type": Column(literal("user")),
                },
                exists=_has_member,
                smallest=_smallest_member,
            )
        },
    ),
    _members_of_group,
)
