"""What the roles of signed-in people let them do over REST."""

from typing import Any

import pytest

from app.api.declarations import Endpoint
from app.api.routes import endpoints
from app.api.scopes import ADMIN, SCOPES, allows, scopes_of
from app.governance.rights import AREAS, PERMISSIONS
from app.governance.roles import BUILT_IN

GUARDED = [endpoint for endpoint in endpoints() if endpoint.scope is not None]


def may(permissions: list[str], endpoint: Endpoint) -> bool:
    return allows(scopes_of(permissions), str(endpoint.scope))


@pytest.mark.parametrize("area", AREAS)
def test_managing_an_area_includes_viewing_it(area: str) -> None:
    view, manage = scopes_of([f"admin.{area}.view"]), scopes_of([f"admin.{area}.manage"])
    for scope in SCOPES:
        assert allows(manage, scope) >= allows(view, scope)


@pytest.mark.parametrize("area", AREAS)
def test_viewing_an_area_changes_nothing(area: str) -> None:
    assert {scope.rpartition(":")[2] for scope in scopes_of([f"admin.{area}.view"])} <= {"read"}


def test_no_area_alone_is_everything() -> None:
    for left_out in AREAS:
        others = [f"admin.{area}.manage" for area in AREAS if area != left_out]
        assert ADMIN not in scopes_of(others)


def test_only_managing_identity_writes_governance() -> None:
    others = [name for name in PERMISSIONS if name != "admin.identity.manage"]
    assert not allows(scopes_of(others), "governance:write")


def test_permissions_to_install_open_no_door_here() -> None:
    assert scopes_of(["connectors.install", "plugins.install"]) == frozenset()


def test_scopes_by_permission_are_ones_that_keys_can_have() -> None:
    assert {scope for name in PERMISSIONS for scope in scopes_of([name])} <= set(SCOPES)


@pytest.mark.parametrize("endpoint", GUARDED, ids=lambda endpoint: endpoint.name)
def test_every_built_in_role_against_every_route(endpoint: Endpoint) -> None:
    allowed = {name for name, role in BUILT_IN.items() if may(role["permissions"], endpoint)}
    assert "owner" in allowed
    assert "member" not in allowed
    if endpoint.scope == ADMIN:
        assert allowed == {"owner"}
    # A plan is asked for with a body and changes nothing; a GET that writes puts the log in order.
    if endpoint.method != "GET" and endpoint.writes:
        assert not allowed & {"auditor", "billing"}


@pytest.mark.parametrize("name", ["owner", "admin", "auditor", "billing"])
def test_the_scopes_of_a_role_open_the_routes_that_they_say(acme: Any, name: str) -> None:
    permissions = BUILT_IN[name]["permissions"]
    scopes = sorted(scopes_of(permissions))
    for endpoint in GUARDED:
        if endpoint.method == "GET" and "<" not in endpoint.path:
            refused = acme.get(endpoint.path, scopes=scopes).status_code == 403
            assert refused is not may(permissions, endpoint), endpoint.name
