"""`/openapi.json` says what is served, neither more nor less."""

import re
from typing import Any

from flask import Flask

ROOT = "/api/v1"


def document(office: Any) -> dict[str, Any]:
    response = office.client.get(f"{ROOT}/openapi.json")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    described: dict[str, Any] = response.json
    return described


def test_the_description_lists_exactly_the_served_routes(acme: Any, app: Flask) -> None:
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(ROOT)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(path, method.upper()) for path, item in document(acme)["paths"].items() for method in item}
    assert described == served


def test_it_is_openapi_3_1_and_needs_no_key(acme: Any) -> None:
    described = document(acme)
    assert described["openapi"] == "3.1.0"
    assert set(described["components"]["securitySchemes"]) == {"bearer", "api_key", "session"}


def test_every_operation_says_its_scope_its_answer_and_its_refusals(acme: Any) -> None:
    names = set()
    for path, item in document(acme)["paths"].items():
        for operation in item.values():
            names.add(operation["operationId"])
            if path.endswith("openapi.json"):
                assert operation["security"] == []
                continue
            assert "Scope: `" in operation["description"]
            responses = operation["responses"]
            assert {"401", "403", "429"} <= set(responses)
            success = next(responses[status] for status in responses if status < "300")
            assert success["content"]["application/json"]["schema"]
            refused = responses["403"]["content"]["application/problem+json"]["schema"]
            assert refused == {"$ref": "#/components/schemas/Problem"}
    assert len(names) == sum(len(item) for item in document(acme)["paths"].values())


def test_bodies_parameters_and_headers_are_described(acme: Any) -> None:
    described = document(acme)
    paths, schemas = described["paths"], described["components"]["schemas"]
    new_role = paths[f"{ROOT}/roles"]["post"]
    body = new_role["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/NewRole"}
    assert schemas["NewRole"]["required"] == ["name"]
    # Unknown fields are refused in requests; answers may gain fields.
    assert schemas["NewRole"]["additionalProperties"] is False
    assert schemas["Role"]["additionalProperties"] is True
    assert "Idempotency-Key" in [parameter["name"] for parameter in new_role["parameters"]]
    listing = {parameter["name"]: parameter for parameter in paths[f"{ROOT}/users"]["get"]["parameters"]}
    assert listing["limit"]["schema"]["maximum"] == 1000
    assert {"cursor", "user_name", "email", "group_id", "seat_state"} <= set(listing)
    order = paths[f"{ROOT}/group_mappings"]["put"]
    assert {p["name"]: p["required"] for p in order["parameters"]} == {"If-Match": True}
    feed = paths[f"{ROOT}/audit/events"]["get"]["responses"]["200"]["content"]
    assert set(feed) == {"application/json", "application/x-ndjson"}


def test_every_reference_is_defined(acme: Any) -> None:
    text = acme.client.get(f"{ROOT}/openapi.json").text
    defined = document(acme)["components"]["schemas"]
    assert {name.rpartition("/")[2] for name in re.findall(r'"\$ref":"([^"]+)"', text)} <= set(defined)
    assert all(re.fullmatch(r"[A-Za-z]+", name) for name in defined)
