"""`/api/docs` shows people the OpenAPI document: all of it, in a page that loads nothing from elsewhere."""

import gzip
from typing import Any

import pytest
from flask import Flask
from lxml import html

from app.api.declarations import Endpoint
from app.api.docs_page import Page
from app.api.docs_types import bounds_of, type_of
from app.api.openapi import describe
from app.api.routes import endpoints

DOCS = "/api/docs"
WITH_BODY = [endpoint for endpoint in endpoints() if endpoint.body is not None]


@pytest.fixture
def page(acme: Any) -> Any:
    response = acme.client.get(DOCS)
    assert (response.status_code, response.content_type) == (200, "text/html; charset=utf-8")
    return html.document_fromstring(response.text)


def words(element: Any) -> str:
    return " ".join(element.text_content().split())


def test_every_operation_is_shown_with_its_scope_and_what_it_answers(acme: Any, page: Any) -> None:
    document = acme.client.get("/api/v1/openapi.json").json
    operations = [
        (path, method.upper(), operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    for path, method, operation in operations:
        shown = page.get_element_by_id(operation["operationId"]).getparent()
        heading = words(shown.find("summary"))
        assert heading.startswith(f"{method} {path} ")
        scope = "" if not operation["security"] else operation["security"][0]["bearer"][0]
        assert heading.endswith(scope)
        names = [words(name) for name in shown.xpath(".//dl[@class='fields']//dt/code")]
        assert [parameter["name"] for parameter in operation["parameters"]] == names[
            : len(operation["parameters"])
        ]
        assert [words(status) for status in shown.xpath(".//dl[@class='answers']/dt")] == sorted(
            operation["responses"]
        )
        assert method == "GET" or f"--request {method}" in words(shown.find(".//pre"))
    assert len(page.xpath("//pre")) == len(operations)


def test_every_object_is_shown_with_its_fields(acme: Any, page: Any) -> None:
    for name, schema in acme.client.get("/api/v1/openapi.json").json["components"]["schemas"].items():
        shown = page.get_element_by_id(f"schema-{name}")
        assert {words(field) for field in shown.xpath(".//dt/code")} == set(schema["properties"])


def test_every_link_within_the_page_leads_somewhere_and_no_place_is_named_twice(page: Any) -> None:
    places = page.xpath("//@id")
    assert len(places) == len(set(places))
    assert {link.removeprefix("#") for link in page.xpath("//@href") if link.startswith("#")} <= set(places)


def test_a_field_of_a_request_says_whether_it_must_be_there_and_how_long_it_may_be(page: Any) -> None:
    shown = page.get_element_by_id("create_role")
    fields = {words(row.find("dt/code")): words(row) for row in shown.xpath(".//dl[@class='fields']/div")}
    assert fields["name"] == "name required string at most 100 characters"
    assert fields["surfaces"] == "surfaces list of string one of code, chat, cowork"
    assert fields["seat"] == "seat boolean default true"
    assert "required" not in words(page.get_element_by_id("schema-Role"))


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(app: Flask, acme: Any, page: Any) -> None:
    policy = acme.client.get(DOCS).headers["Content-Security-Policy"]
    assert policy == (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert not page.xpath("//script | //style | //img | //@style | //@src | //@*[starts-with(name(), 'on')]")
    (style,) = page.xpath("//link/@href")
    assert all(link.startswith(("#", "/api/")) for link in page.xpath("//@href"))
    assert "url(" not in acme.client.get(style).text
    assert "@import" not in acme.client.get(style).text


def test_the_page_is_not_sent_again_as_long_as_it_is_the_same(acme: Any) -> None:
    first = acme.client.get(DOCS)
    assert first.headers.getlist("Cache-Control") == ["no-cache"]
    again = acme.client.get(DOCS, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


def test_the_page_comes_compressed_to_whoever_can_read_that(acme: Any) -> None:
    plain, packed = acme.client.get(DOCS), acme.client.get(DOCS, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["ETag"] != plain.headers["ETag"]


def test_the_style_may_be_kept_for_ever_because_its_address_names_its_content(acme: Any, page: Any) -> None:
    (style,) = page.xpath("//link/@href")
    response = acme.client.get(style)
    assert (response.status_code, response.content_type) == (200, "text/css; charset=utf-8")
    assert response.headers.getlist("Cache-Control") == ["public, max-age=31536000, immutable"]
    assert acme.client.get(f"{DOCS}/{'0' * 16}.css").status_code == 404


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=lambda endpoint: endpoint.name)
def test_the_example_of_a_body_is_one_that_is_accepted(endpoint: Endpoint) -> None:
    assert endpoint.body is not None
    assert endpoint.body.validate(endpoint.example or {}) == {}


def test_an_example_can_be_pasted_into_a_shell(acme: Any, page: Any) -> None:
    shown = page.get_element_by_id("deny_limit_increase").find(".//pre/code").text
    base_url = acme.organization.container.urls.base_url
    assert shown == (
        f"curl {base_url}/api/v1/limit_increases/linc_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e/deny \\\n"
        "  --request POST \\\n"
        '  --header "Authorization: Bearer $USHER_KEY" \\\n'
        """  --json '{"note": "Ask again after the quarter"}'"""
    )


def test_what_a_description_says_is_text_and_never_markup() -> None:
    document = describe(endpoints())
    attack = "<script>alert(1)</script>"
    operation = document["paths"]["/api/v1/roles"]["post"]
    operation["summary"] = operation["description"] = document["info"]["description"] = attack
    operation["responses"]["201"]["description"] = attack
    operation["requestBody"]["content"]["application/json"]["example"] = {"name": "it's"}
    page = Page(document, "http://127.0.0.1")
    (shown,) = [made for tag in page.tags for made in tag.operations if made.id == "create_role"]
    for text in (page.text, shown.summary, shown.text, shown.answers[0].text):
        assert "<script" not in text
        assert "&lt;script&gt;" in text
    assert """'{"name": "it'"'"'s"}'""" in shown.curl


@pytest.mark.parametrize(
    ("schema", "type_", "bounds"),
    [
        ({"type": "string", "enum": ["<b>"]}, "string", "one of <code>&lt;b&gt;</code>"),
        ({"type": ["string", "null"], "format": "date-time"}, "date and time or null", ""),
        ({"type": "integer", "minimum": 1, "maximum": 1000}, "integer", "1 to 1,000"),
        ({"type": "integer", "minimum": 1}, "integer", "at least 1"),
        ({"default": "seat"}, "<code>seat</code>", ""),
        ({"description": "Ignored."}, "anything", ""),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "map to string", ""),
        (
            {"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 9}},
            "list of string",
            "at most 5 items; each at most 9 characters",
        ),
        (
            {"anyOf": [{"$ref": "#/components/schemas/Seat"}, {"type": "null"}]},
            '<a href="#schema-Seat">Seat</a> or null',
            "",
        ),
    ],
)
def test_a_schema_is_said_in_words(schema: dict[str, Any], type_: str, bounds: str) -> None:
    assert (type_of(schema), bounds_of(schema)) == (type_, bounds)
