"""Where users and groups stand: their statements, and where the filter finds each attribute.

An attribute that is neither a real column nor a related row is read from the search document.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    select,
    union_all,
)

from app.core.sql import is_one_of, json_list, json_object
from app.core.tenancy import ORG_ID
from app.directory.emails import holds_email
from app.directory.managers import IS_MANAGER, LIVING_MANAGER, SHOWN_NAME
from app.directory.models import group_ancestors, group_members, groups, memberships, users
from app.directory.people import SHOWN
from app.scim.protocol.constants import ENTERPRISE_USER
from app.scim.protocol.filter_sql import Bindings, Column, Kind, Relation
from app.scim.protocol.filter_sql_json import member
from app.scim.seat import FILTERED_COLUMNS, FILTERED_LISTS, SEAT_COLUMNS
from app.scim.shelf import Shelf

_base_url = bindparam("base_url", type_=Text())


_inner = groups.alias("inner_group")
_ANCESTORS_OF_MEMBERSHIPS = memberships.join(
    group_ancestors,
    and_(
        group_ancestors.c.org_id == memberships.c.org_id,
        group_ancestors.c.group_id == memberships.c.group_id,
    ),
)
_direct = memberships.alias("direct")
_is_only_indirect = ~(
    exists()
    .where(
        _direct.c.org_id == ORG_ID,
        _direct.c.user_id == memberships.c.user_id,
        _direct.c.group_id == group_ancestors.c.ancestor_id,
    )
    .correlate(memberships, group_ancestors)
)


def _group(type_: str) -> json_list:
    return json_list(
        json_object(
            literal("value"),
            groups.c.id,
            literal("$ref"),
            _base_url + "/Groups/" + cast(groups.c.id, Text),
            literal("display"),
            groups.c.display_name,
            literal("type"),
            literal(type_),
        )
    )


# RFC 7643 section 4.1.2: `groups` mirrors membership, direct and through other groups; direct wins. Few
# organizations nest groups, so a read only asks whether this one does, and `INDIRECT_GROUPS` follows then.
_direct_groups = (
    select(_group("direct"))
    .where(
        memberships.c.org_id == ORG_ID,
        memberships.c.user_id == users.c.id,
        groups.c.org_id == ORG_ID,
        groups.c.id == memberships.c.group_id,
    )
    .correlate(users)
    .scalar_subquery()
    .label("related")
)
_any_ancestors = group_ancestors.alias("any_ancestors")
RELATED_TO_USER = (_direct_groups, exists().where(_any_ancestors.c.org_id == ORG_ID).label("nests"))
_reached = (
    select(memberships.c.user_id, group_ancestors.c.ancestor_id)
    .distinct()
    .select_from(_ANCESTORS_OF_MEMBERSHIPS)
    .where(memberships.c.org_id == ORG_ID, is_one_of(memberships.c.user_id, "ids"), _is_only_indirect)
    .subquery("reached")
)
INDIRECT_GROUPS = (
    select(_reached.c.user_id, _group("indirect").label("related"))
    .select_from(_reached.join(groups, groups.c.id == _reached.c.ancestor_id))
    .where(groups.c.org_id == ORG_ID)
    .group_by(_reached.c.user_id)
)
_my_members = union_all(
    select(
        users.c.id,
        literal("/Users/").label("endpoint"),
        users.c.display_name.label("display"),
        literal("User").label("type"),
    )
    .where(
        memberships.c.org_id == ORG_ID,
        memberships.c.group_id == groups.c.id,
        users.c.org_id == ORG_ID,
        users.c.id == memberships.c.user_id,
    )
    .correlate(groups),
    select(_inner.c.id, literal("/Groups/"), _inner.c.display_name, literal("Group"))
    .where(
        group_members.c.org_id == ORG_ID,
        group_members.c.group_id == groups.c.id,
        _inner.c.org_id == ORG_ID,
        _inner.c.id == group_members.c.member_group_id,
    )
    .correlate(groups),
).subquery("mine")
_member = (
    literal("value"),
    _my_members.c.id,
    literal("$ref"),
    _base_url + _my_members.c.endpoint + cast(_my_members.c.id, Text),
    literal("type"),
    _my_members.c.type,
)
# Who has no displayName has no `display`: a client that added a member without one compares what it
# sent with what it reads.
_named_member = json_object(*_member, literal("display"), _my_members.c.display)
_members_of_group = (
    select(json_list(case((_my_members.c.display.is_(None), json_object(*_member)), else_=_named_member)))
    .correlate(groups)
    .scalar_subquery()
    .label("related")
)

# The same as rows for filters, which look from a group to its people as often as the other way round.
_mirror = union_all(
    select(
        memberships.c.user_id,
        memberships.c.group_id.label("value"),
        groups.c.display_name_key.label("display"),
        literal("direct").label("type"),
    ).where(memberships.c.org_id == ORG_ID, groups.c.org_id == ORG_ID, groups.c.id == memberships.c.group_id),
    select(memberships.c.user_id, groups.c.id, groups.c.display_name_key, literal("indirect"))
    .select_from(_ANCESTORS_OF_MEMBERSHIPS)
    .where(
        memberships.c.org_id == ORG_ID,
        groups.c.org_id == ORG_ID,
        groups.c.id == group_ancestors.c.ancestor_id,
        _is_only_indirect,
    ),
).subquery("mirror")
_members = union_all(
    select(memberships.c.group_id, memberships.c.user_id.label("value"), literal("user").label("type")).where(
        memberships.c.org_id == ORG_ID
    ),
    select(group_members.c.group_id, group_members.c.member_group_id, literal("group")).where(
        group_members.c.org_id == ORG_ID
    ),
).subquery("members")


def _of_manager(shown: ColumnElement[Any]) -> ColumnElement[Any]:
    return select(shown).where(*IS_MANAGER).correlate(users).scalar_subquery()


def _in_group(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(_mirror.c.user_id == users.c.id, condition).correlate(users)


def _smallest_group(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    smallest = select(func.min(expression)).where(_mirror.c.user_id == users.c.id)
    return smallest.correlate(users).scalar_subquery()


def _has_member(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(_members.c.group_id == groups.c.id, condition).correlate(groups)


def _smallest_member(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    smallest = select(func.min(expression)).where(_members.c.group_id == groups.c.id)
    return smallest.correlate(groups).scalar_subquery()


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
            f"{ENTERPRISE_USER}:manager.$ref": Column(
                _of_manager(_base_url + "/Users/" + cast(LIVING_MANAGER.c.id, Text))
            ),
            f"{ENTERPRISE_USER}:manager.displayName": Column(
                _of_manager(member(LIVING_MANAGER.c.search, ("displayName",)).as_string())
            ),
            "meta.created": Column(users.c.created_at, Kind.INSTANT),
            "meta.lastModified": Column(users.c.last_modified_at, Kind.INSTANT),
            **FILTERED_COLUMNS,
        },
        relations={
            "groups": Relation(
                columns={
                    "value": Column(_mirror.c.value, Kind.UUID),
                    "display": Column(_mirror.c.display),
                    "type": Column(_mirror.c.type),
                },
                exists=_in_group,
                smallest=_smallest_group,
            )
        },
        finders={"emails": holds_email},
        lists=FILTERED_LISTS,
    ),
    RELATED_TO_USER,
    own=(users.c.manager_id, SHOWN_NAME, *SEAT_COLUMNS),
    source=SHOWN,
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
                    "value": Column(_members.c.value, Kind.UUID),
                    "type": Column(_members.c.type),
                },
                exists=_has_member,
                smallest=_smallest_member,
            )
        },
    ),
    (_members_of_group,),
)
