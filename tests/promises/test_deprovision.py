"""P1: when the IdP gets its 2xx, seat, rights, limit, audit entry and outgoing message are one fact."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.audit.models import outbox_messages
from app.core.connection import Connection
from app.core.ids import edge_id
from app.core.tenancy import ORG_ID
from app.directory.groups import GroupService
from app.directory.models import principals
from app.directory.users import UserService
from app.governance.seat_pool import SeatPool
from tests.support.cast import Organization, in_organization, json_of

Leave = Callable[[Organization, str, str], Any]


def seated_person(acme: Organization) -> tuple[str, str]:
    """A person with a seat from a mapped group; answers the user's and the group's id."""
    user_id = acme.scim.create_user()
    group_id = acme.scim.create_group(members=[user_id])
    acme.map_group(group_id)
    assert acme.seat_state(user_id) == "assigned"
    return user_id, group_id


def principal_of(acme: Organization, user_id: str) -> Any:
    with in_organization(acme.app, acme.id, write=False) as services:
        query = select(principals).where(principals.c.org_id == ORG_ID, principals.c.user_id == user_id)
        return services.uow.execute(query).one()


def outbox_kinds(acme: Organization) -> list[str]:
    with in_organization(acme.app, acme.id, write=False) as services:
        query = select(outbox_messages.c.kind).where(outbox_messages.c.org_id == ORG_ID)
        return list(services.uow.execute(query).scalars())


def pool_assigned(acme: Organization) -> int:
    return int(json_of(acme.api.get("/seat_pool"))["assigned"])


def limits(acme: Organization, user_id: str) -> list[tuple[str, str, str]]:
    path = f"/spend_limits/effective?user_id={edge_id('user', user_id)}"
    return [(row["window"], row["amount_usd"], row["source"]) for row in json_of(acme.api.get(path))["data"]]


DEACTIVATIONS: dict[str, Leave] = {
    "Okta, path-less boolean": lambda org, user, _: org.scim.set_active(user, False),
    "Entra, capital op and text": lambda org, user, _: org.scim.patch_operations(
        f"/Users/{user}", {"op": "Replace", "path": "active", "value": "False"}
    ),
    "OneLogin, text in a path-less value": lambda org, user, _: org.scim.set_active(user, "false"),
    "PUT of the whole user": lambda org, user, _: org.scim.put(
        f"/Users/{user}", {"userName": "left@example.com", "active": False}
    ),
    "DELETE": lambda org, user, _: org.scim.delete(f"/Users/{user}"),
    "REST": lambda org, user, _: org.api.post(f"/users/{edge_id('user', user)}/deactivate"),
}
SEAT_LOSSES: dict[str, Leave] = {
    "removal from the last mapped group": lambda org, user, group: org.scim.remove_members(group, user),
    "emptying PUT of the group": lambda org, _, group: org.scim.put(
        f"/Groups/{group}", {"displayName": "Empty now", "members": []}
    ),
    "deletion of the group": lambda org, _, group: org.scim.delete(f"/Groups/{group}"),
}


@pytest.mark.scim("okta/deactivate", "okta/unassign", "entra/deprovision")
@pytest.mark.parametrize("leave", DEACTIVATIONS.values(), ids=DEACTIVATIONS.keys())
def test_every_form_of_deactivation_takes_everything(acme: Organization, leave: Leave) -> None:
    user_id, group_id = seated_person(acme)
    epoch = principal_of(acme, user_id).epoch
    assert leave(acme, user_id, group_id).status_code in (200, 204)
    principal = principal_of(acme, user_id)
    assert (principal.active, principal.seat_state, principal.role_id, principal.surfaces) == (
        False,
        "released",
        None,
        [],
    )
    assert principal.epoch > epoch
    assert pool_assigned(acme) == 0
    assert outbox_kinds(acme) == ["user.deprovisioned"]


@pytest.mark.parametrize("leave", SEAT_LOSSES.values(), ids=SEAT_LOSSES.keys())
def test_losing_the_last_source_takes_seat_and_limit_but_not_the_person(
    acme: Organization, leave: Leave
) -> None:
    user_id, group_id = seated_person(acme)
    assert leave(acme, user_id, group_id).status_code in (200, 204)
    principal = principal_of(acme, user_id)
    assert (principal.active, principal.seat_state, principal.role_id) == (True, "released", None)
    assert pool_assigned(acme) == 0
    assert {(amount, source) for _, amount, source in limits(acme, user_id)} == {("0", "deprovisioned")}


def test_a_deactivated_person_has_four_limits_of_zero(acme: Organization) -> None:
    user_id, _ = seated_person(acme)
    acme.scim.set_active(user_id, False)
    assert limits(acme, user_id) == [
        (window, "0", "deprovisioned") for window in ("five_hour", "daily", "weekly", "monthly")
    ]


def test_deactivation_and_seat_loss_have_one_audit_entry_each(acme: Organization) -> None:
    user_id, _ = seated_person(acme)
    before = acme.audit_actions(user_id)
    acme.scim.set_active(user_id, False)
    assert acme.audit_actions(user_id)[len(before) :] == ["user.deactivated", "seat.released"]


def test_deactivating_twice_changes_nothing_twice(acme: Organization) -> None:
    user_id, _ = seated_person(acme)
    acme.scim.set_active(user_id, False)
    before = acme.audit_actions(user_id)
    assert acme.scim.set_active(user_id, False).status_code == 200
    assert acme.audit_actions(user_id) == before
    assert outbox_kinds(acme) == ["user.deprovisioned"]


@pytest.mark.scim("entra/restore")
def test_reactivation_gives_the_seat_back_from_the_kept_memberships(acme: Organization) -> None:
    """Entra does not send memberships again when it restores somebody."""
    user_id, _ = seated_person(acme)
    acme.scim.set_active(user_id, False)
    acme.scim.set_active(user_id, True)
    assert acme.seat_state(user_id) == "assigned"
    assert pool_assigned(acme) == 1


def test_a_member_who_is_inactive_gets_no_seat(acme: Organization) -> None:
    user_id = acme.scim.create_user(active=False)
    acme.map_group(acme.scim.create_group(members=[user_id]))
    assert acme.seat_state(user_id) is None


def test_the_last_of_two_mapped_groups_decides(acme: Organization) -> None:
    user_id, first = seated_person(acme)
    second = acme.scim.create_group(members=[user_id])
    acme.map_group(second)
    acme.scim.remove_members(first, user_id)
    assert acme.seat_state(user_id) == "assigned"
    acme.scim.remove_members(second, user_id)
    assert acme.seat_state(user_id) == "released"


def test_a_manual_seat_survives_the_group_but_not_deactivation(acme: Organization) -> None:
    user_id, group_id = seated_person(acme)
    seat = {"user_id": edge_id("user", user_id), "role_id": acme.role_id("member"), "reason": "pilot"}
    assert json_of(acme.api.post("/seats", seat))["state"] == "assigned"
    acme.scim.remove_members(group_id, user_id)
    assert acme.seat_state(user_id) == "assigned"
    acme.scim.set_active(user_id, False)
    acme.scim.set_active(user_id, True)
    assert acme.seat_state(user_id) == "released"


def test_an_administrators_block_is_not_lifted_by_the_idp(acme: Organization) -> None:
    user_id, _ = seated_person(acme)
    path = f"/users/{edge_id('user', user_id)}"
    assert json_of(acme.api.post(f"{path}/deactivate"))["seat_state"] == "released"
    shown = json_of(acme.scim.set_active(user_id, True))
    assert shown["active"] is False
    assert acme.seat_state(user_id) == "released"
    assert json_of(acme.api.post(f"{path}/reactivate"))["seat_state"] == "assigned"


def test_people_without_scim_leave_and_return_by_the_same_chain(acme: Organization) -> None:
    """No identity provider has ever spoken of this person: a local owner, made by the operator."""
    with in_organization(acme.app, acme.id) as services:
        user_id = services.get(UserService).create({"userName": "local@example.com"}, active=True).id
        group_id = services.get(GroupService).create({"displayName": "Local"}, [user_id])
        services.commit()
    edge = edge_id("user", user_id)
    seat = {"user_id": edge, "role_id": acme.role_id("owner"), "reason": "founder"}
    assert json_of(acme.api.post("/seats", seat))["state"] == "assigned"
    before = acme.audit_actions(user_id)
    off = json_of(acme.api.post(f"/users/{edge}/deactivate"))
    assert (off["active"], off["seat_state"], off["role_id"], pool_assigned(acme)) == (
        False,
        "released",
        None,
        0,
    )
    assert {(amount, source) for _, amount, source in limits(acme, user_id)} == {("0", "deprovisioned")}
    assert acme.audit_actions(user_id)[len(before) :] == ["user.deactivated", "seat.released"]
    assert outbox_kinds(acme) == ["user.deprovisioned"]
    # Only what groups give comes back.
    assert json_of(acme.api.post(f"/users/{edge}/reactivate"))["seat_state"] == "released"
    acme.api.post(f"/users/{edge}/deactivate")
    acme.map_group(group_id)
    back = json_of(acme.api.post(f"/users/{edge}/reactivate"))
    assert (back["active"], back["seat_state"], pool_assigned(acme)) == (True, "assigned", 1)


def test_unblocking_wakes_nobody_whom_the_idp_has_inactive(acme: Organization) -> None:
    user_id, _ = seated_person(acme)
    path = f"/users/{edge_id('user', user_id)}"
    acme.api.post(f"{path}/deactivate")
    acme.scim.set_active(user_id, False)
    assert acme.api.post(f"{path}/reactivate").status_code == 409
    assert acme.seat_state(user_id) == "released"


def test_a_deleted_person_who_returns_has_a_new_id_and_the_old_principal(acme: Organization) -> None:
    user_id, group_id = seated_person(acme)
    name = json_of(acme.scim.get(f"/Users/{user_id}"))["userName"]
    principal_id = principal_of(acme, user_id).id
    acme.scim.delete(f"/Users/{user_id}")
    again = acme.scim.create_user(name.upper())
    assert again != user_id
    assert principal_of(acme, again).id == principal_id
    assert acme.seat_state(again) is None
    acme.scim.add_members(group_id, again)
    assert acme.seat_state(again) == "assigned"


def test_an_administrators_block_survives_deletion_and_return(acme: Organization) -> None:
    user_id, _ = seated_person(acme)
    name = json_of(acme.scim.get(f"/Users/{user_id}"))["userName"]
    acme.api.post(f"/users/{edge_id('user', user_id)}/deactivate")
    acme.scim.delete(f"/Users/{user_id}")
    again = acme.scim.create_user(name)
    assert json_of(acme.scim.get(f"/Users/{again}"))["active"] is False


def test_an_external_id_finds_the_tombstone_after_a_rename(acme: Organization) -> None:
    user_id = acme.scim.create_user(externalId="00u1")
    principal_id = principal_of(acme, user_id).id
    acme.scim.delete(f"/Users/{user_id}")
    again = acme.scim.create_user(externalId="00u1")
    assert principal_of(acme, again).id == principal_id


def test_one_principal_is_never_shared_by_two_living_people(acme: Organization) -> None:
    user_id = acme.scim.create_user(externalId="00u2")
    acme.scim.delete(f"/Users/{user_id}")
    first, second = acme.scim.create_user(externalId="00u2"), acme.scim.create_user(externalId="00u2")
    assert principal_of(acme, first).id != principal_of(acme, second).id


def test_a_failing_handler_undoes_the_whole_deactivation(
    app: Flask, acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a deprovision never exists; the IdP gets a 5xx and tries again."""

    def fail(*_: object) -> None:
        raise RuntimeError("the pool cannot be reached")

    user_id, _ = seated_person(acme)
    before = acme.audit_actions(user_id)
    with monkeypatch.context() as broken:
        broken.setattr(SeatPool, "release", fail)
        response = acme.scim.set_active(user_id, False)
    assert (response.status_code, json_of(response)["status"]) == (500, "500")
    assert json_of(acme.scim.get(f"/Users/{user_id}"))["active"] is True
    assert acme.seat_state(user_id) == "assigned"
    assert acme.audit_actions(user_id) == before
    assert outbox_kinds(acme) == []
    assert acme.scim.set_active(user_id, False).status_code == 200
    assert acme.seat_state(user_id) == "released"


def test_a_failing_commit_undoes_the_whole_deactivation(
    app: Flask, acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit itself is broken by a constraint that only the commit checks, or by the driver."""
    from sqlalchemy.exc import OperationalError

    user_id, _ = seated_person(acme)

    def refuse(_: Connection) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk full"))

    with monkeypatch.context() as broken:
        broken.setattr(Connection, "commit", refuse)
        response = acme.scim.set_active(user_id, False)
    assert response.status_code == 503
    assert response.headers["Retry-After"].isdigit()
    assert acme.seat_state(user_id) == "assigned"
    assert acme.scim.set_active(user_id, False).status_code == 200
