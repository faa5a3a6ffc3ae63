"""The mapping's table by behaviour: where a value is found, what it does to the seat, what its lack does."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from app.scim.protocol.constants import GROUP, USER
from tests.okta.identity_providers import Okta, user_of
from tests.support.cast import Organization, json_of
from tests.support.server import ROOT
from tests.support.sign_on import SignOn, session_of, sign_on

PAGE = (ROOT / "okta/mapping.md").read_text()
_ROW = re.compile(r"^\| [^|]+ \| `([^`]+)`([^|]*) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """`path` in SCIM; `field` of the REST API, empty when there is none."""

    path: str
    kind: str
    field: str
    effect: str
    when_empty: str


ROWS = [
    Row(
        path,
        "group" if of or path.startswith("members") else "user",
        field.strip("`") if "`" in field else "",
        effect,
        empty,
    )
    for path, of, field, effect, empty in _ROW.findall(PAGE)
]
PERSON_ROWS = [row for row in ROWS if row.kind == "user" and row.path not in ("userName", "active")]


@dataclass
class World:
    """Ada, who has a seat by a mapped group, pushed by Okta."""

    acme: Organization
    door: SignOn
    okta: Okta
    group_id: str

    @property
    def email(self) -> str:
        return f"ada@{self.door.domain}"

    def scim(self) -> Any:
        return json_of(self.acme.scim.get(f"/Users/{self.okta.ids['ada']}"))

    def rest(self) -> Any:
        return user_of(self.acme, self.email)


@pytest.fixture
def world(acme: Organization) -> World:
    door = sign_on(acme, jit=False)
    okta = Okta(acme.scim, door.domain)
    okta.push("ada")
    group_id = okta.push_group("usher-engineering", "ada")
    acme.map_group(group_id)
    return World(acme, door, okta, group_id)


def told(path: str, value: str) -> dict[str, Any]:
    """The part of a body that says an attribute; as an empty text when there is no value."""
    urn, _, name = path.rpartition(":")
    if urn:
        return {"schemas": [USER, urn], urn: {name: value}}
    if path == "emails.value":
        return {"emails": [{"value": value, "type": "work", "primary": True}] if value else []}
    head, _, sub = name.partition(".")
    return {head: {sub: value}} if sub else {head: value}


def found(scim: Any, path: str) -> Any:
    urn, _, name = path.rpartition(":")
    holder = scim.get(urn, {}) if urn else scim
    head, _, sub = name.partition(".")
    value = holder.get(head)
    if isinstance(value, list):
        value = value[0] if value else None
    return (value or {}).get(sub) if sub else value


@pytest.mark.parametrize("row", PERSON_ROWS, ids=lambda row: row.path)
def test_a_value_arrives_and_the_seat_is_as_the_table_says(row: Row, world: World) -> None:
    value = f"other@{world.door.domain}" if row.path == "emails.value" else "Other"
    world.okta.push("ada", **told(row.path, value))
    assert found(world.scim(), row.path) == value
    if row.field:
        assert world.rest()[row.field] == value
    assert row.effect.startswith("none")
    assert world.rest()["seat_state"] == "assigned"


def is_absent(world: World, row: Row) -> None:
    world.okta.push("ada", **told(row.path, "Other"))
    world.okta.push("ada", **told(row.path, ""))
    assert found(world.scim(), row.path) is None


def is_null(world: World, row: Row) -> None:
    is_absent(world, row)
    assert world.rest()[row.field] is None


def is_not_needed_for_signing_in(world: World, row: Row) -> None:
    for name in ("ada", "ben"):
        world.okta.push(name, emails=[])
    assert world.rest()[row.field] is None
    other = f"other@{world.door.domain}"
    by_stable_id: dict[str, Any] = {
        "attributes": {"email": (other,), "userId": ("00uada",)},
        "name_id": other,
    }
    by_user_name: dict[str, Any] = {"attributes": {}, "name_id": f"ben@{world.door.domain}"}
    for name, claims in (("ada", by_stable_id), ("ben", by_user_name)):
        session = json_of(session_of(world.door.sign_in(name, **claims)))
        assert session["user"]["id"] == f"user_{world.okta.ids[name]}"


def stays(world: World, row: Row) -> None:
    for active in (True, False):
        world.okta.push("ada", active=active)
        body = {"schemas": [USER], "userName": world.email}
        assert world.acme.scim.put(f"/Users/{world.okta.ids['ada']}", body).status_code == 200
        assert world.rest()[row.field] is active
    assert (world.rest()["seat_state"], row.effect) == (
        "released",
        "false takes seat, sessions and limits at once",
    )


def is_matched_by_user_name(world: World, row: Row) -> None:
    """Deleted and pushed again without it, ada has what hung on her before."""
    user_id = f"user_{world.okta.ids['ada']}"
    world.okta.push("ada", externalId="")
    assert world.rest()[row.field] is None
    limit = {"scope": {"type": "user", "id": user_id}, "window": "monthly", "amount_usd": "7"}
    assert world.acme.api.post("/spend_limits", limit).status_code == 201
    world.acme.scim.delete(f"/Users/{world.okta.ids.pop('ada')}")
    world.okta.push("ada", externalId="")
    world.acme.scim.add_members(world.group_id, world.okta.ids["ada"])
    limits = json_of(world.acme.api.get(f"/spend_limits/effective?user_id=user_{world.okta.ids['ada']}"))
    assert ("user", "7") in [(one["source"], one["amount_usd"]) for one in limits["data"]]


def is_refused(world: World, row: Row) -> None:
    path, schema = ("/Groups", GROUP) if row.kind == "group" else ("/Users", USER)
    response = world.acme.scim.post(path, {"schemas": [schema], "externalId": "00u"})
    assert (response.status_code, json_of(response)["scimType"]) == (400, "invalidValue")


def is_nobodys(world: World, row: Row) -> None:
    (count,) = [json_of(world.acme.api.get("/groups"))["data"][0][row.field]]
    assert count == 1
    emptied = {"op": "replace", "path": "members", "value": []}
    world.acme.scim.patch_operations(f"/Groups/{world.group_id}", emptied)
    assert world.rest()["seat_state"] == "released"


LACKS: dict[str, Callable[[World, Row], None]] = {
    "Okta cannot push the person": is_refused,
    "Okta cannot push it": is_refused,
    "people are matched by userName alone": is_matched_by_user_name,
    "left out in an update: stays as it is": stays,
    "null": is_null,
    "not shown": is_absent,
    "cleared": is_absent,
    "null, sign-in matches by userName or stable id": is_not_needed_for_signing_in,
    "nobody has a seat by this group": is_nobodys,
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.kind}-{row.path}")
def test_the_lack_of_a_value_does_what_the_table_says(row: Row, world: World) -> None:
    LACKS[row.when_empty](world, row)


def test_a_password_is_accepted_and_kept_nowhere(world: World) -> None:
    assert "`password` is accepted and kept nowhere" in PAGE
    world.okta.push("ada", password="sentinel-5xK")
    world.acme.container.traces.flush()
    for path in ("/scim_requests?limit=1000", "/audit/events?limit=1000"):
        assert "sentinel-5xK" not in world.acme.api.get(path).text
    assert "password" not in world.scim()


def test_what_scim_has_pushed_stays_and_groups_of_a_sign_in_do_not_count(world: World) -> None:
    assert "a sign-in fills gaps only" in PAGE
    assert "counts only while SCIM pushes no groups" in PAGE
    claims = world.okta.claims("ada")
    attributes = {**claims["attributes"], "firstName": ("Other",), "groups": ("usher-owners",)}
    world.door.sign_in("ada", **{**claims, "attributes": attributes})
    scim = world.scim()
    assert scim["name"]["givenName"] == "Ada"
    assert [group["display"] for group in scim["groups"]] == ["usher-engineering"]
