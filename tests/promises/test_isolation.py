"""P5: every route, asked by one organization about another's objects, answers as if there were none."""

import json
from collections.abc import Mapping

import pytest
from flask import Flask

from app.core.ids import edge_id
from app.governance.jobs import JobStore
from tests.support.application import register
from tests.support.cast import Organization, create_organization, in_organization, json_of
from tests.support.sign_on import sign_on

# Routes that name no object of an organization, so there is nothing foreign to ask for.
WITHOUT_OBJECTS = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/openapi.json",
    "/api/docs",
    "/api/docs/<digest>.css",
    "/pages/<digest>.css",
    "/api/v1/organization",
    "/api/v1/seat_pool",
    "/scim/v2/ServiceProviderConfig",
    "/scim/v2/ResourceTypes",
    "/scim/v2/ResourceTypes/<name>",
    "/scim/v2/Schemas",
    "/scim/v2/Schemas/<urn>",
    "/scim/v2/Me/",
    "/scim/v2/Me/<path:_below>",
}
# Doors to one connection each, for any browser and for its identity provider.
PUBLIC = ("/sso/saml/<connection_id>/", "/sso/oidc/<connection_id>/")
BODIES = {
    ("PATCH", "/api/v1/applications/<application_id>"): {"name": "Taken over"},
    ("PATCH", "/api/v1/connections/<connection_id>"): {"mode": "off"},
    ("PATCH", "/api/v1/domains/<domain_id>"): {"connection_id": None},
    ("PUT", "/scim/v2/Users/<user_id>"): {"userName": "taken.over@example.com"},
    ("PUT", "/scim/v2/Groups/<group_id>"): {"displayName": "Taken over", "members": []},
    ("PATCH", "/scim/v2/Users/<user_id>"): {"Operations": [{"op": "replace", "value": {"active": False}}]},
    ("PATCH", "/scim/v2/Groups/<group_id>"): {
        "Operations": [{"op": "replace", "value": {"displayName": "Taken over"}}]
    },
    ("PATCH", "/api/v1/roles/<role_id>"): {"surfaces": []},
    ("PATCH", "/api/v1/scim_tokens/<scim_token_id>"): {"tolerances": "strict"},
    ("POST", "/api/v1/limit_increases/<limit_increase_id>/approve"): {"amount_usd": "1000000"},
    ("POST", "/api/v1/limit_increases/<limit_increase_id>/deny"): {},
    ("POST", "/api/v1/authorizations/<authorization_id>/settle"): {"cost_usd": "1"},
    ("PATCH", "/api/v1/seats/<user_id>"): {"suspended": True, "reason": "taken over"},
}


LIMIT = {"window": "daily", "amount_usd": "1"}
CALL = {"surface": "code", "model": "claude-opus-5-5", "max_cost_usd": "1"}


class Victim:
    """An organization with one object of every kind."""

    def __init__(self, app: Flask) -> None:
        self.organization = create_organization(app)
        organization = self.organization
        self.user_id = organization.scim.create_user("victim@example.com", externalId="victim")
        self.group_id = organization.scim.create_group("Victims", [self.user_id])
        self.mapping_id = organization.map_group(self.group_id)
        self.role_id = organization.role_id("member")
        api = organization.api
        token = json_of(api.post("/scim_tokens", {"name": "victim"}))["id"]
        key = json_of(api.post("/api_keys", {"name": "victim", "scopes": ["admin"]}))["id"]
        person = edge_id("user", self.user_id)
        scope = {"type": "user", "id": person}
        limit = {"scope": scope, "window": "daily", "amount_usd": "5"}
        call = {"user": {"id": person}, "surface": "code", "model": "claude-opus-5-5", "max_cost_usd": "1"}
        wish = {"user_id": person, "window": "daily", "amount_usd": "9"}
        contract = {"name": "c", "starts_on": "2026-01-01", "ends_on": "2026-12-31", "cap_usd": "9"}
        organization.container.traces.flush()
        traces = json_of(api.get("/scim_requests"))["data"]
        # The last owner is held back from losing the role.
        owner = organization.scim.create_user()
        owners = organization.scim.create_group(members=[owner])
        organization.map_group(owners, "owner")
        organization.scim.remove_members(owners, owner)
        held = json_of(api.get("/held_changes"))["data"]
        self.ids = {
            "held_change_id": held[0]["id"],
            "user_id": edge_id("user", self.user_id),
            "group_id": edge_id("group", self.group_id),
            "mapping_id": self.mapping_id,
            "role_id": self.role_id,
            "scim_token_id": token,
            "token_id": token,
            "api_key_id": key,
            "key_id": key,
            "scim_request_id": traces[0]["id"],
            "spend_limit_id": json_of(api.post("/spend_limits", limit))["id"],
            "limit_increase_id": json_of(api.post("/limit_increases", wish))["id"],
            **self._signed_in(),
            "job_id": edge_id("job", self._job()),
            "authorization_id": json_of(api.post("/authorizations", call))["id"],
            "contract_id": json_of(api.post("/billing/contracts", contract))["id"],
            "application_id": register(organization).id,
            "price_id": json_of(api.get("/prices"))["data"][0]["id"],
        }

    def _signed_in(self) -> dict[str, str]:
        """A connection with its domain, and a session by it."""
        api, connection = self.organization.api, sign_on(self.organization)
        connection.sign_in(f"somebody@{connection.domain}")
        lists = {"domain_id": "/domains", "connection_id": "/connections", "session_id": "/sessions"}
        return {name: json_of(api.get(path))["data"][0]["id"] for name, path in lists.items()}

    def _job(self) -> str:
        with in_organization(self.organization.app, self.organization.id) as services:
            services.get(JobStore).start([self.user_id])
            services.commit()
            return str(services.get(JobStore).started)

    def path(self, rule: str) -> str:
        values = self.ids
        if rule.startswith("/scim/"):
            values = {name: id_.partition("_")[2] for name, id_ in values.items()}
        for name, value in values.items():
            rule = rule.replace(f"<{name}>", value)
        return rule

    def snapshot(self) -> list[object]:
        """All that the victim can see of itself, but for the feed and what using keys leaves behind."""
        organization = self.organization
        api = ["/users", "/groups", "/roles", "/group_mappings", "/seats", "/seat_pool", "/organization"]
        api += ["/spend_limits", "/limit_increases", "/held_changes", "/domains", "/connections", "/sessions"]
        api += ["/applications"]
        api += [f"/authorizations/{self.ids['authorization_id']}"]
        seen: list[object] = [json_of(organization.api.get(path)) for path in api]
        return seen + [json_of(organization.scim.get(path)) for path in ("/Users", "/Groups")]


@pytest.fixture(scope="module")
def victim(app: Flask) -> Victim:
    return Victim(app)


def rules_with_objects(app: Flask) -> list[tuple[str, str]]:
    """Every method of every route that names an object; a new route is in here by itself."""
    return sorted(
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if "<" in rule.rule and rule.rule not in WITHOUT_OBJECTS and not rule.rule.startswith(PUBLIC)
    )


def test_every_route_answers_404_for_another_organizations_object(
    app: Flask, victim: Victim, globex: Organization
) -> None:
    before = victim.snapshot()
    answers = {}
    for method, rule in rules_with_objects(app):
        client = globex.scim if rule.startswith("/scim/") else globex.api
        path = victim.path(rule)
        assert "<" not in path, f"The matrix knows no id for {rule}."
        response = client.request(method, path.removeprefix(client.root), BODIES.get((method, rule)))
        answers[method, rule] = response.status_code
    assert {rule: status for rule, status in answers.items() if status != 404} == {}
    assert victim.snapshot() == before


def test_no_list_shows_another_organizations_objects(
    app: Flask, victim: Victim, globex: Organization
) -> None:
    lists = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if "<" not in rule.rule and "GET" in (rule.methods or ())
    }
    foreign = set(victim.ids.values()) | {victim.user_id, victim.group_id}
    for rule in sorted(lists - WITHOUT_OBJECTS):
        client = globex.scim if rule.startswith("/scim/") else globex.api
        text = client.get(rule.removeprefix(client.root)).text
        assert not [id_ for id_ in foreign if id_ in text], rule


@pytest.mark.parametrize(
    "filter_",
    [
        'userName eq "victim@example.com"',
        'externalId eq "victim"',
        'id eq "{user_id}"',
        'groups.value eq "{group_id}"',
        'userName pr or userName eq "x"',
        'not (userName eq "nobody")',
    ],
)
def test_no_filter_reaches_another_organization(victim: Victim, globex: Organization, filter_: str) -> None:
    text = filter_.format(user_id=victim.user_id, group_id=victim.group_id)
    response = globex.scim.get("/Users", query_string={"filter": text})
    assert (response.status_code, json_of(response)["totalResults"]) == (200, 0)


@pytest.mark.scim("rfc/49")
def test_names_of_another_organization_are_free(victim: Victim, globex: Organization) -> None:
    globex.scim.create_user("victim@example.com", externalId="victim")
    globex.scim.create_group("Victims")


def test_a_member_or_mapping_cannot_name_another_organizations_object(
    victim: Victim, globex: Organization
) -> None:
    group_id = globex.scim.create_group()
    assert globex.scim.add_members(group_id, victim.user_id).status_code == 400
    mapping = {"group_id": victim.ids["group_id"], "role_id": globex.role_id("member")}
    assert globex.api.post("/group_mappings", mapping).status_code == 404
    mapping = {"group_id": edge_id("group", group_id), "role_id": victim.role_id}
    assert globex.api.post("/group_mappings", mapping).status_code == 404


# What a body or a query may name besides its path; `{…}` is the victim's, `<…>` the asker's own.
FOREIGN_IN_BODIES = [
    ("POST", "/seats", {"user_id": "{user_id}", "role_id": "<role_id>"}),
    ("POST", "/seats", {"user_id": "<user_id>", "role_id": "{role_id}"}),
    ("PUT", "/group_mappings", {"data": [{"group_id": "{group_id}", "role_id": "<role_id>"}]}),
    ("POST", "/group_mappings/plan", {"data": [{"group_id": "{group_id}", "role_id": "<role_id>"}]}),
    ("POST", "/spend_limits", {"scope": {"type": "user", "id": "{user_id}"}, **LIMIT}),
    ("POST", "/spend_limits", {"scope": {"type": "group", "id": "{group_id}"}, **LIMIT}),
    ("POST", "/limit_increases", {"user_id": "{user_id}", **LIMIT}),
    ("POST", "/authorizations", {"user": {"id": "{user_id}"}, **CALL}),
    ("POST", "/authorizations", {"user": {"user_name": "victim@example.com"}, **CALL}),
    ("POST", "/break_glass_codes", {"user_id": "{user_id}"}),
    ("PATCH", "/domains/<domain_id>", {"connection_id": "{connection_id}"}),
]
FOREIGN_IN_QUERIES = [
    "/users?group_id={group_id}",
    "/spend_limits?user_id={user_id}",
    "/spend_limits?group_id={group_id}",
    "/spend_limits/effective?user_id={user_id}",
    "/limit_increases?user_id={user_id}",
    "/sessions?user_id={user_id}",
    "/scim_requests?user_id={user_id}",
    "/scim_requests?group_id={group_id}",
    "/audit/events?target_id={user_id}",
    "/audit/events?actor_id={key_id}",
]


@pytest.fixture
def own_ids(globex: Organization) -> dict[str, str]:
    return {
        "user_id": edge_id("user", globex.scim.create_user()),
        "role_id": globex.role_id("member"),
        "domain_id": json_of(globex.api.post("/domains", {"name": f"{globex.slug}.example.com"}))["id"],
    }


def filled(value: object, theirs: Mapping[str, str], own: Mapping[str, str]) -> object:
    """The value with the ids that it stands for."""
    text = json.dumps(value)
    for opening, closing, ids in (("{", "}", theirs), ("<", ">", own)):
        for name, id_ in ids.items():
            text = text.replace(f'"{opening}{name}{closing}"', f'"{id_}"')
    return json.loads(text)


@pytest.mark.parametrize("request_", FOREIGN_IN_BODIES, ids=lambda request_: request_[1])
def test_no_body_can_name_another_organizations_object(
    victim: Victim, globex: Organization, own_ids: dict[str, str], request_: tuple[str, str, object]
) -> None:
    method, path, body = request_
    before = victim.snapshot()
    for name, id_ in own_ids.items():
        path = path.replace(f"<{name}>", id_)
    version = globex.api.get("/group_mappings").headers["ETag"]
    response = globex.api.request(
        method, path, filled(body, victim.ids, own_ids), headers={"If-Match": version}
    )
    assert response.status_code == 404, response.text
    assert victim.snapshot() == before


@pytest.mark.parametrize("path", FOREIGN_IN_QUERIES)
def test_no_query_reaches_another_organization(victim: Victim, globex: Organization, path: str) -> None:
    response = globex.api.get(path.format(**victim.ids))
    assert response.status_code in (200, 404), response.text
    assert response.status_code == 404 or json_of(response)["data"] == []


def test_reported_usage_of_another_organizations_person_is_kept_aside(
    victim: Victim, globex: Organization
) -> None:
    event = {"id": "e1", "user": {"id": victim.ids["user_id"]}, "surface": "code", "usage": {}}
    event |= {"model": "claude-opus-5-5", "occurred_at": "2026-11-01T00:00:00Z"}
    before = victim.snapshot()
    (result,) = json_of(globex.api.post("/usage_events", {"events": [event]}))["data"]
    assert result["result"] == "unknown_user"
    assert victim.snapshot() == before


def test_a_bulk_request_finds_nothing_of_another_organization(victim: Victim, globex: Organization) -> None:
    before = victim.snapshot()
    operations = [
        {"method": method, "path": path.removeprefix("/scim/v2"), "data": body}
        for rule in ("/scim/v2/Users/<user_id>", "/scim/v2/Groups/<group_id>")
        for method, path, body in (
            ("PUT", victim.path(rule), BODIES["PUT", rule]),
            ("PATCH", victim.path(rule), BODIES["PATCH", rule]),
            ("DELETE", victim.path(rule), {}),
        )
    ]
    answered = json_of(globex.scim.post("/Bulk", {"Operations": operations}))["Operations"]
    assert [result["status"] for result in answered] == ["404"] * 6
    assert victim.snapshot() == before


def test_a_cursor_of_another_organization_is_refused(victim: Victim, globex: Organization) -> None:
    victim.organization.scim.create_user()
    cursor = json_of(victim.organization.api.get("/users?limit=1"))["next_cursor"]
    response = globex.api.get("/users", query_string={"limit": 1, "cursor": cursor})
    assert (response.status_code, json_of(response)["code"]) == (400, "invalid_cursor")


def test_credentials_are_good_for_their_own_protocol_only(acme: Organization) -> None:
    scim, api = acme.scim.token, acme.api.token
    assert acme.scim.get("/Users", headers={"Authorization": f"Bearer {api}"}).status_code == 401
    assert acme.api.get("/users", headers={"Authorization": f"Bearer {scim}"}).status_code == 401
