"""Each tolerance over HTTP: `auto` accepts and names it, `strict` refuses, a list enables just it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app import building
from app.core.ids import edge_id
from app.directory.credentials import CredentialService
from app.directory.recognition import ToleranceSetting
from app.scim.protocol.constants import ENTERPRISE_USER, GROUP, PATCH_OP, USER
from app.scim.protocol.tolerance_profiles import NAMES, TOLERANCES
from app.scim.protocol.tolerances import Tolerances
from tests.scim.answers import found, group, listed, members, ok, refused, user
from tests.support.cast import Organization, ScimClient, in_organization

PERSON = {"schemas": [USER], "userName": "anna@example.com"}
EMPLOYEE = {**PERSON, "schemas": [USER, ENTERPRISE_USER]}
ADSCIM = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
BOSS = "019ac1f0-0000-7000-8000-000000000001"
ROLE_AS_TEXT = json.dumps({"id": "r1", "value": "Admin", "displayName": "Administrator"})


@dataclass(frozen=True, slots=True)
class World:
    """A strict-conform person and group, and a client whose connection has the setting under test."""

    scim: ScimClient
    user_id: str
    group_id: str

    def post(self, **attributes: Any) -> TestResponse:
        return self.scim.post("/Users", {**PERSON, **attributes})

    def patch(self, op: str, value: Any, path: str | None = None, at: str | None = None) -> TestResponse:
        operation = {"op": op, "value": value} | ({} if path is None else {"path": path})
        return self.scim.patch_operations(at or f"/Users/{self.user_id}", operation)

    def patch_group(self, op: str, value: Any, path: str | None = None) -> TestResponse:
        return self.patch(op, value, path, f"/Groups/{self.group_id}")

    def search(self, filter_text: str) -> TestResponse:
        return self.scim.get("/Users", query_string={"filter": filter_text})


@dataclass(frozen=True, slots=True)
class Case:
    """A request that needs one tolerance and no other; `strict` is the refusal without it."""

    name: str
    send: Callable[[World], TestResponse]
    strict: tuple[int, str | None]


def case(name: str, send: Callable[[World], TestResponse], scim_type: str | None, status: int = 400) -> Any:
    return pytest.param(Case(name, send, (status, scim_type)), id=f"{name}-{scim_type or status}")


CASES = [
    case("text_boolean", lambda w: w.post(active="False"), "invalidValue"),
    case("text_boolean", lambda w: w.patch("replace", "False", "active"), "invalidValue"),
    case("text_boolean", lambda w: w.post(roles=[{"value": "a", "primary": "True"}]), "invalidValue"),
    case("text_boolean_in_filter", lambda w: w.search('active eq "True"'), "invalidFilter"),
    case(
        "text_boolean_in_filter",
        lambda w: w.patch("remove", None, 'emails[primary eq "True"].display'),
        "invalidPath",
    ),
    case("number_as_text", lambda w: w.post(title=7), "invalidValue"),
    case("empty_text", lambda w: w.post(title=""), "invalidValue"),
    case("empty_text", lambda w: w.patch("replace", "", "title"), "invalidValue"),
    case(
        "empty_text",
        lambda w: w.patch("replace", {"value": ""}, f"{ENTERPRISE_USER}:manager"),
        "invalidValue",
    ),
    case("single_object_as_list", lambda w: w.post(emails={"value": "a@x.example"}), "invalidValue"),
    case("single_object_as_list", lambda w: w.post(schemas=USER), "invalidSyntax"),
    case(
        "single_object_as_list",
        lambda w: w.patch_group("replace", {"value": w.user_id}, "members"),
        "invalidValue",
    ),
    case(
        "object_in_a_list",
        lambda w: w.patch("add", [{"value": BOSS}], f"{ENTERPRISE_USER}:manager"),
        "invalidValue",
    ),
    case(
        "object_in_a_list",
        lambda w: w.patch("replace", [{"value": "n@x.example"}], 'emails[type eq "work"]'),
        "invalidValue",
    ),
    case("bare_text_as_value", lambda w: w.post(emails=["a@x.example"]), "invalidValue"),
    case("bare_text_as_value", lambda w: w.patch_group("add", [w.user_id], "members"), "invalidValue"),
    case("manager_as_text", lambda w: w.scim.post("/Users", employee(manager=BOSS)), "invalidValue"),
    case("manager_as_text", lambda w: w.patch("replace", BOSS, f"{ENTERPRISE_USER}:manager"), "invalidValue"),
    case(
        "manager_id", lambda w: w.scim.post("/Users", employee(manager={"managerId": BOSS})), "invalidSyntax"
    ),
    case(
        "object_as_its_value", lambda w: w.search(f'{ENTERPRISE_USER}:manager eq "{BOSS}"'), "invalidFilter"
    ),
    case("unknown_attribute", lambda w: w.post(shoeSize=44), "invalidSyntax"),
    case("unknown_attribute", lambda w: w.post(name={"nick": "A"}), "invalidSyntax"),
    case("unknown_attribute", lambda w: w.patch("replace", {"shoeSize": 44}), "invalidPath"),
    case("bare_extension_attribute", lambda w: w.patch("add", "Sales", "department"), "invalidPath"),
    case("bare_extension_attribute", lambda w: w.search('department eq "Sales"'), "invalidFilter"),
    case(
        "bare_extension_attribute",
        lambda w: w.scim.post("/Users", {**EMPLOYEE, "department": "Sales"}),
        "invalidSyntax",
    ),
    case("dot_after_urn", lambda w: w.patch("add", "S", f"{ENTERPRISE_USER}.department"), "invalidPath"),
    case("dotted_key", lambda w: w.patch("replace", {"name.givenName": "Anna"}), "invalidPath"),
    case("dotted_key", lambda w: w.post(**{"name.givenName": "Anna"}), "invalidSyntax"),
    case("urn_key", lambda w: w.patch("replace", {f"{ENTERPRISE_USER}:department": "S"}), "invalidPath"),
    case("urn_key", lambda w: w.post(**{f"{USER}:title": "Dr"}), "invalidSyntax"),
    case(
        "filtered_key",
        lambda w: w.patch("replace", {'emails[type eq "work"].value': "n@x.example"}),
        "invalidPath",
    ),
    case("schemas_missing", lambda w: w.post(schemas=None), "invalidSyntax"),
    case(
        "schemas_missing",
        lambda w: w.scim.patch(
            f"/Users/{w.user_id}", {"Operations": [{"op": "add", "path": "title", "value": "Dr"}]}
        ),
        "invalidSyntax",
    ),
    case("extension_not_listed", lambda w: w.post(**{ENTERPRISE_USER: {"department": "S"}}), "invalidSyntax"),
    case("unknown_schema", lambda w: w.post(schemas=[USER, "urn:okta:custom:1.0:user"]), "invalidSyntax"),
    case("urn_without_colon", lambda w: w.post(schemas=[USER.replace(":2.0", "2.0")]), "invalidSyntax"),
    case("scim_1_urn", lambda w: w.post(schemas=["urn:scim:schemas:core:1.0"]), "invalidSyntax"),
    case(
        "scim_1_urn",
        lambda w: w.scim.post(
            "/Users", {**EMPLOYEE, "urn:scim:schemas:extension:enterprise:1.0": {"department": "Sales"}}
        ),
        "invalidSyntax",
    ),
    case(
        "adscim_urn",
        lambda w: w.scim.post("/Groups", {"schemas": [GROUP, ADSCIM], "displayName": "Team"}),
        "invalidSyntax",
    ),
    case("filler_password", lambda w: w.post(password="1mz050nq"), "invalidValue"),
    case("filler_password", lambda w: w.patch("replace", {"password": "1mz050nq"}), "invalidValue"),
    case(
        "echoed_attributes",
        lambda w: w.patch_group("replace", {"id": w.group_id, "displayName": "Renamed"}),
        "mutability",
    ),
    case(
        "remove_by_value_list",
        lambda w: w.patch_group("remove", [{"value": w.user_id}], "members"),
        "invalidValue",
    ),
    case(
        "remove_by_value_list",
        lambda w: w.patch("remove", [{"value": "w@x.example"}], "emails"),
        "invalidValue",
    ),
    case(
        "create_on_no_match",
        lambda w: w.patch("add", "Kiel", 'addresses[type eq "work"].locality'),
        "noTarget",
    ),
    case("bare_token", lambda w: w.scim.get("/Users", headers={"Authorization": w.scim.token}), None, 401),
    case(
        "unquoted_version",
        lambda w: w.scim.put(f"/Users/{w.user_id}", PERSON, headers={"If-Match": "1"}),
        None,
        412,
    ),
]
# `strict` takes the text for what it is.
NEVER_REFUSED = {"json_text_as_object", "roles_as_entitlements"}


def employee(**attributes: Any) -> dict[str, Any]:
    return {**EMPLOYEE, ENTERPRISE_USER: attributes}


def client(acme: Organization, setting: ToleranceSetting) -> ScimClient:
    """A further SCIM connection of the organization."""
    with in_organization(acme.app, acme.id) as services:
        _, token = services.get(CredentialService).create_scim_token("further", tolerances=setting)
        services.commit()
    return ScimClient(acme.app, token, "/scim/v2", "application/scim+json")


@pytest.fixture
def world(acme: Organization) -> Callable[[ToleranceSetting], World]:
    emails = [{"value": "w@x.example", "type": "work", "primary": True, "display": "W"}]
    user_id = acme.scim.create_user("world@example.com", emails=emails)
    group_id = acme.scim.create_group("World", [user_id])

    def made(setting: ToleranceSetting) -> World:
        return World(client(acme, setting), user_id, group_id)

    return made


@pytest.fixture
def fired(monkeypatch: pytest.MonkeyPatch) -> Callable[[], set[str]]:
    """What the last transaction's request needed beyond the RFC."""
    made: list[Tolerances] = []

    def build(_services: object) -> Tolerances:
        made.append(Tolerances())
        return made[-1]

    monkeypatch.setitem(building.BUILDERS, Tolerances, build)
    return lambda: made[-1].fired


@pytest.mark.scim(
    "okta/create",
    "okta/group-rename",
    "okta/password-sync",
    "okta/authentication",
    "okta/own-attributes",
    "entra/create",
    "entra/flagged-update",
    "entra/disable",
    "entra/no-match",
    "entra/manager",
    "entra/members",
    "entra/group-create",
    "entra/reference-check",
    "google/provisioning",
    "onelogin/provisioning",
    "jumpcloud/provisioning",
)
@pytest.mark.parametrize("case", CASES)
def test_auto_accepts_the_form_and_names_it(
    world: Callable[[ToleranceSetting], World], fired: Callable[[], set[str]], case: Case
) -> None:
    response = case.send(world("auto"))
    assert response.status_code < 300, response.text
    assert fired() == {case.name}


@pytest.mark.scim("rfc/10")
@pytest.mark.parametrize("case", CASES)
def test_strict_refuses_the_form_as_the_rfc_says(
    world: Callable[[ToleranceSetting], World], fired: Callable[[], set[str]], case: Case
) -> None:
    refused(case.send(world("strict")), *case.strict)
    assert fired() == set()


@pytest.mark.parametrize("case", CASES)
def test_a_list_enables_just_what_it_names(
    world: Callable[[ToleranceSetting], World], fired: Callable[[], set[str]], case: Case
) -> None:
    response = case.send(world([case.name]))
    assert response.status_code < 300, response.text
    assert fired() == {case.name}


def test_every_tolerance_has_its_case() -> None:
    opt_in = {quirk.name for quirk in TOLERANCES if quirk.opt_in}
    assert {param.values[0].name for param in CASES} | NEVER_REFUSED | opt_in == NAMES


@pytest.mark.scim("entra/roles")
def test_json_text_is_a_role_in_auto_and_text_in_strict(
    world: Callable[[ToleranceSetting], World], fired: Callable[[], set[str]]
) -> None:
    roles = [{"value": ROLE_AS_TEXT}]
    auto, strict = world("auto"), world("strict")
    unfolded = ok(auto.post(roles=roles), 201)
    assert unfolded["roles"] == [{"value": "Admin", "display": "Administrator"}]
    assert fired() == {"json_text_as_object"}
    kept = ok(strict.patch("add", roles, "roles"))
    assert kept["roles"] == roles
    assert fired() == set()


@pytest.mark.scim("entra/patch-answers", "rfc/30")
@pytest.mark.parametrize("setting", ["auto", "strict"])
def test_a_patch_of_a_group_answers_the_group_where_that_was_chosen(
    world: Callable[[ToleranceSetting], World], fired: Callable[[], set[str]], setting: str
) -> None:
    plain, chosen = world(setting), world(["group_patch_body"])
    for name, value in (("displayName", "Renamed"), ("members", [])):
        silent = plain.patch_group("replace", value, name)
        assert (silent.status_code, silent.data) == (204, b"")
        assert fired() == set()
        # What is already so is answered, too.
        response = chosen.patch_group("replace", value, name)
        assert fired() == {"group_patch_body"}
        assert ok(response) == group(chosen.scim, chosen.group_id)
        assert response.headers["ETag"] == ok(response)["meta"]["version"] == silent.headers["ETag"]
    operation = {"op": "replace", "path": "displayName", "value": "World"}
    path = f"/Groups/{chosen.group_id}"
    shown = ok(chosen.scim.patch_operations(f"{path}?excludedAttributes=members,meta", operation))
    assert shown.keys() == {"schemas", "id", "displayName"}
    shown = ok(chosen.scim.patch_operations(f"{path}?attributes=externalId", operation))
    assert shown.keys() == {"schemas", "id"}
    assert fired() == set()
    refused(chosen.patch_group("replace", "x", "nosuch"), 400, "invalidPath")


@pytest.mark.parametrize("setting", ["auto", "strict"])
def test_members_that_are_nobody_are_left_out_where_that_was_chosen(
    world: Callable[[ToleranceSetting], World],
    fired: Callable[[], set[str]],
    setting: str,
    globex: Organization,
) -> None:
    plain, chosen = world(setting), world(["unknown_members_dropped"])
    anna, inner = chosen.scim.create_user(), chosen.scim.create_group()
    foreign, deleted = globex.scim.create_user(), chosen.scim.create_user()
    chosen.scim.delete(f"/Users/{deleted}")
    nobody = [{"value": id_} for id_ in ("fake-member-id", BOSS, foreign, deleted)]
    somebody = [{"value": anna}, {"value": inner, "type": "Group"}]
    for stranger in nobody:
        refused(plain.patch_group("add", [stranger, *somebody], "members"), 400, "invalidValue")
    assert members(chosen.scim, chosen.group_id) == [chosen.user_id]
    assert chosen.patch_group("add", [*nobody, *somebody], "members").status_code == 204
    assert fired() == {"unknown_members_dropped"}
    assert members(chosen.scim, chosen.group_id) == sorted([chosen.user_id, anna, inner])
    before = group(chosen.scim, chosen.group_id)
    assert chosen.patch_group("add", nobody, "members").status_code == 204
    assert group(chosen.scim, chosen.group_id) == before
    # A list that is replaced is exactly who is left of it.
    body = {"schemas": [GROUP], "displayName": "Next", "members": [*nobody, {"value": anna}]}
    made = ok(chosen.scim.post("/Groups", body), 201)
    assert members(chosen.scim, made["id"]) == [anna]
    assert chosen.patch_group("replace", nobody, "members").status_code == 204
    assert members(chosen.scim, chosen.group_id) == []
    # Somebody of another type than was said is no stranger.
    mistaken = [{"value": anna, "type": "Group"}]
    refused(chosen.patch_group("add", mistaken, "members"), 400, "invalidValue")
    assert chosen.patch_group("add", somebody, "members").status_code == 204
    assert fired() == set()


def test_conform_requests_fire_nothing_and_pass_in_strict(
    world: Callable[[ToleranceSetting], World], fired: Callable[[], set[str]]
) -> None:
    strict = world("strict")
    body = employee(department="Sales", manager={"value": BOSS})
    made = ok(strict.scim.post("/Users", {**body, "active": True, "title": None, "emails": []}), 201)
    echoed = {**made, "title": "Dr"}
    assert ok(strict.scim.put(f"/Users/{made['id']}", echoed))["title"] == "Dr"
    operations: list[dict[str, Any]] = [
        {"op": "Add", "path": "emails", "value": {"value": "a@x.example", "type": "work"}},
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "b@x.example"},
        {"op": "Replace", "value": {"active": False, ENTERPRISE_USER: {"department": "Ops"}, "title": None}},
        {"op": "Remove", "path": f"{ENTERPRISE_USER}:manager"},
    ]
    changed = ok(strict.scim.patch_operations(f"/Users/{made['id']}", *operations))
    assert changed["emails"] == [{"value": "b@x.example", "type": "work"}]
    assert changed[ENTERPRISE_USER] == {"department": "Ops"}
    assert found(strict.scim, "/Users", 'emails eq "B@x.example" and active eq false') == [made["id"]]
    delta = 'meta.lastModified ge "0001-01-03T00:00:00.0000000Z"'
    assert listed(strict.scim, "/Users", filter=delta, aadOptscim062020="")["totalResults"] == 2
    assert strict.patch_group("add", {"value": made["id"]}, "members").status_code == 204
    assert strict.patch_group("remove", None, f'members[value eq "{made["id"]}"]').status_code == 204
    plain = strict.scim.get("/Users", headers={"Accept": "application/json"})
    assert plain.content_type == "application/json"
    assert fired() == set()


SETTINGS: list[ToleranceSetting] = ["auto", "strict", sorted(NAMES), ["unknown_attribute"], []]


@pytest.mark.parametrize("setting", SETTINGS, ids=repr)
class TestSafety:
    """What no setting weakens."""

    @pytest.mark.scim("rfc/2")
    def test_an_unknown_name_in_a_filter_or_a_path_is_refused(
        self, world: Callable[[ToleranceSetting], World], setting: ToleranceSetting
    ) -> None:
        sent = world(setting)
        for endpoint in ("/Users", "/Groups"):
            for text in ('nosuch eq "x"', 'nosuch eq "x" or id pr', "urn:x:nosuch pr", "password pr"):
                refused(sent.scim.get(endpoint, query_string={"filter": text}), 400, "invalidFilter")
        refused(sent.patch("replace", "x", "nosuch"), 400, "invalidPath")

    def test_nobody_is_matched_by_email(
        self, world: Callable[[ToleranceSetting], World], setting: ToleranceSetting
    ) -> None:
        sent = world(setting)
        twin = [{"value": "w@x.example", "type": "work", "primary": True}]
        made = ok(sent.scim.post("/Users", {**PERSON, "emails": twin, "externalId": "other"}), 201)
        assert made["id"] != sent.user_id
        assert user(sent.scim, sent.user_id)["userName"] == "world@example.com"
        again = {**PERSON, "userName": "WORLD@example.com"}
        refused(sent.scim.post("/Users", again), 409, "uniqueness")

    def test_another_id_is_another_resource(
        self, world: Callable[[ToleranceSetting], World], setting: ToleranceSetting
    ) -> None:
        sent = world(setting)
        refused(sent.patch_group("replace", {"id": BOSS, "displayName": "X"}), 400, "mutability")

    @pytest.mark.scim("entra/members")
    def test_remove_with_values_never_empties(
        self, world: Callable[[ToleranceSetting], World], setting: ToleranceSetting
    ) -> None:
        sent = world(setting)
        sent.patch_group("remove", [{"value": BOSS}], "members")
        sent.patch_group("remove", [], "members")
        assert members(sent.scim, sent.group_id) == [sent.user_id]

    def test_an_empty_filter_lists_nobody(
        self, world: Callable[[ToleranceSetting], World], setting: ToleranceSetting
    ) -> None:
        refused(world(setting).search(" "), 400, "invalidFilter")


def test_a_change_of_the_setting_holds_from_the_next_request_on(acme: Organization) -> None:
    made = acme.api.post("/scim_tokens", {"name": "Entra"}).json
    assert made is not None
    scim = ScimClient(acme.app, made["token"], "/scim/v2", "application/scim+json")
    body = {**PERSON, "active": "True"}
    anna = ok(scim.post("/Users", body), 201)["id"]
    assert acme.api.patch(f"/scim_tokens/{made['id']}", {"tolerances": "strict"}).status_code == 200
    refused(scim.put(f"/Users/{anna}", body), 400, "invalidValue")
    # The organization's other connection keeps its own.
    assert acme.scim.put(f"/Users/{anna}", body).status_code == 200
    assert acme.api.patch(f"/scim_tokens/{made['id']}", {"tolerances": ["text_boolean"]}).status_code == 200
    assert scim.put(f"/Users/{anna}", body).status_code == 200


def test_a_foreign_connection_cannot_be_changed(acme: Organization, globex: Organization) -> None:
    made = acme.api.post("/scim_tokens", {"name": "Okta"}).json
    assert made is not None
    changed = globex.api.patch(f"/scim_tokens/{made['id']}", {"tolerances": "strict"})
    assert changed.status_code == 404
    assert (
        acme.api.patch(f"/scim_tokens/{edge_id('scimtok', BOSS)}", {"tolerances": "strict"}).status_code
        == 404
    )


def test_patch_without_its_schema_is_no_patch_whatever_is_tolerated(
    world: Callable[[ToleranceSetting], World],
) -> None:
    sent = world("auto")
    body = {"schemas": [USER], "Operations": [{"op": "add", "path": "title", "value": "Dr"}]}
    assert PATCH_OP in refused(sent.scim.patch(f"/Users/{sent.user_id}", body), 400, "invalidSyntax")
